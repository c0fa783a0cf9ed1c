/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The framing of HTTP/1.0 and 1.1 (RFC 9112), a byte at a time: where a message of a stream begins, what its
 * head says, and where its body is. Bodies are not followed by byte; whoever calls skips `length` bytes.
 */
#ifndef BPF_SIDECAR_HTTP_H
#define BPF_SIDECAR_HTTP_H

#include "kernel.bpf.h"

enum http_method {
    HTTP_OTHER,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_CONNECT,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_PATCH,
    HTTP_QUERY,
};

enum http_state {
    /* Between two messages. */
    HTTP_BETWEEN,
    HTTP_METHOD,
    HTTP_TARGET,
    HTTP_REQUEST_VERSION,
    HTTP_RESPONSE_VERSION,
    HTTP_STATUS,
    HTTP_REASON,
    HTTP_LINE,
    HTTP_NAME,
    HTTP_LENGTH,
    HTTP_CODING,
    HTTP_OTHER_HEADER,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_EXTENSION,
    HTTP_TRAILER_LINE,
    HTTP_TRAILER,
    /* From here on no byte is looked at. */
    HTTP_BODY,
    HTTP_CHUNK,
    HTTP_BODY_UNTIL_CLOSE,
    /* Where the stream is can no longer be told. */
    HTTP_LOST,
};

/* What a head says of its body. */
enum http_framing {
    HTTP_HAS_LENGTH = 1,
    HTTP_CHUNKED = 2,
    /* A transfer coding other than `chunked`. */
    HTTP_OTHER_CODING = 4,
};

/* Where in its stream of requests or of responses a parser is, and what it knows of the message there. */
struct http_message {
    /* When its first byte came. */
    __u64 began_ns;
    /* The last eight bytes of the word that is being read. */
    __u64 word;
    /* In the head: Content-Length. After that: how much is left of the body or chunk. */
    __u64 length;
    __u64 next_length;
    __u16 status;
    __u8 state;
    __u8 is_response;
    __u8 method;
    __u8 framing;
    /* Which of the header names that matter this one may still be, and how much of it was read. */
    __u8 name;
    __u8 read;
};

/*
 * What http_follow says of the byte that it was given. Below HTTP_EVENT it is up to which byte value those
 * that follow mean something, so that all above can be passed over.
 */
enum http_event {
    HTTP_TO_LINE_END = '\n',
    HTTP_TO_SPACE = ' ',
    HTTP_EACH_BYTE = 255,
    HTTP_EVENT,
    /* The request line is complete. */
    HTTP_REQUEST_LINE = HTTP_EVENT,
    HTTP_HEAD_END,
    HTTP_CHUNK_BEGIN,
    HTTP_TRAILERS_END,
    /* This is no HTTP. */
    HTTP_BROKEN,
};

#define HTTP_MAX_METHOD 32
#define HTTP_MAX_LENGTH (1ULL << 53)
#define HTTP_WORD(a, b, c, d, e, f, g, h)                                                                    \
    ((__u64)(a) << 56 | (__u64)(b) << 48 | (__u64)(c) << 40 | (__u64)(d) << 32 | (__u64)(e) << 24 |          \
     (__u64)(f) << 16 | (__u64)(g) << 8 | (__u64)(h))

static const char http_names[2][32] = {"content-length", "transfer-encoding"};
static const __u8 http_name_lengths[2] = {14, 17};

static __always_inline __u32 http_lower(__u32 byte) {
    return byte >= 'A' && byte <= 'Z' ? byte | 0x20 : byte;
}

static __always_inline bool http_is_digit(__u32 byte) {
    return byte >= '0' && byte <= '9';
}

static __always_inline __u8 http_method(const struct http_message *message) {
    if (message->read > 7)
        return HTTP_OTHER;
    switch (message->word) {
    case HTTP_WORD(0, 0, 0, 0, 0, 'G', 'E', 'T'):
        return HTTP_GET;
    case HTTP_WORD(0, 0, 0, 0, 'H', 'E', 'A', 'D'):
        return HTTP_HEAD;
    case HTTP_WORD(0, 0, 0, 0, 'P', 'O', 'S', 'T'):
        return HTTP_POST;
    case HTTP_WORD(0, 0, 0, 0, 0, 'P', 'U', 'T'):
        return HTTP_PUT;
    case HTTP_WORD(0, 0, 'D', 'E', 'L', 'E', 'T', 'E'):
        return HTTP_DELETE;
    case HTTP_WORD(0, 'C', 'O', 'N', 'N', 'E', 'C', 'T'):
        return HTTP_CONNECT;
    case HTTP_WORD(0, 'O', 'P', 'T', 'I', 'O', 'N', 'S'):
        return HTTP_OPTIONS;
    case HTTP_WORD(0, 0, 0, 'T', 'R', 'A', 'C', 'E'):
        return HTTP_TRACE;
    case HTTP_WORD(0, 0, 0, 'P', 'A', 'T', 'C', 'H'):
        return HTTP_PATCH;
    case HTTP_WORD(0, 0, 0, 'Q', 'U', 'E', 'R', 'Y'):
        return HTTP_QUERY;
    }
    return HTTP_OTHER;
}

static __always_inline bool http_is_version(__u64 word) {
    return word == HTTP_WORD('H', 'T', 'T', 'P', '/', '1', '.', '1') ||
           word == HTTP_WORD('H', 'T', 'T', 'P', '/', '1', '.', '0');
}

/* A character of a method: letters, and of the others that RFC 9110 allows those that anybody uses. */
static __always_inline bool http_is_token(__u32 byte) {
    __u32 lower = http_lower(byte);
    return (lower >= 'a' && lower <= 'z') || http_is_digit(byte) || byte == '-' || byte == '_';
}

static __always_inline int http_next(struct http_message *message, enum http_state state,
                                     enum http_event event) {
    message->state = state;
    message->word = 0;
    message->read = 0;
    return event;
}

static __always_inline int http_begin(struct http_message *message, __u32 byte, __u64 now) {
    /* An empty line before a message is to be ignored: RFC 9112, 2.2. */
    if (byte == '\r' || byte == '\n')
        return HTTP_EACH_BYTE;
    message->began_ns = now;
    message->word = byte;
    message->read = 1;
    message->status = 0;
    message->method = HTTP_OTHER;
    message->framing = 0;
    message->length = 0;
    message->state = message->is_response ? HTTP_RESPONSE_VERSION : HTTP_METHOD;
    return message->is_response || http_is_token(byte) ? HTTP_EACH_BYTE : HTTP_BROKEN;
}

/* The value of Content-Length is complete. Two of them must not differ. */
static __always_inline int http_length_end(struct http_message *message) {
    if (!message->read)
        return HTTP_BROKEN;
    if (message->framing & HTTP_HAS_LENGTH && message->length != message->next_length)
        return HTTP_BROKEN;
    message->framing |= HTTP_HAS_LENGTH;
    message->length = message->next_length;
    return http_next(message, HTTP_LINE, HTTP_EACH_BYTE);
}

/* The value of a Transfer-Encoding is complete. Only the last coding decides. */
static __always_inline int http_coding_end(struct http_message *message) {
    bool chunked = message->word == HTTP_WORD(0, 'c', 'h', 'u', 'n', 'k', 'e', 'd') ||
                   message->word == HTTP_WORD(',', 'c', 'h', 'u', 'n', 'k', 'e', 'd');
    message->framing &= ~(HTTP_CHUNKED | HTTP_OTHER_CODING);
    message->framing |= chunked ? HTTP_CHUNKED : HTTP_OTHER_CODING;
    return http_next(message, HTTP_LINE, HTTP_EACH_BYTE);
}

static __always_inline int http_name_byte(struct http_message *message, __u32 byte) {
    __u32 name = message->name & 1, read = message->read & 31;
    if (read == http_name_lengths[name] && byte == ':') {
        message->next_length = 0;
        return http_next(message, name ? HTTP_CODING : HTTP_LENGTH, HTTP_EACH_BYTE);
    }
    if (byte == '\n')
        return http_next(message, HTTP_LINE, HTTP_EACH_BYTE);
    if (http_lower(byte) != http_names[name][read])
        return http_next(message, HTTP_OTHER_HEADER, HTTP_TO_LINE_END);
    message->read = read + 1;
    return HTTP_EACH_BYTE;
}

static __always_inline int http_chunk_size_byte(struct http_message *message, __u32 byte) {
    __u32 lower = http_lower(byte), digit;
    if (byte == '\r')
        return HTTP_EACH_BYTE;
    if (http_is_digit(byte))
        digit = byte - '0';
    else if (lower >= 'a' && lower <= 'f')
        digit = lower - 'a' + 10;
    else if (!message->read)
        return HTTP_BROKEN;
    else if (byte == ';' || byte == ' ' || byte == '\t') {
        message->state = HTTP_CHUNK_EXTENSION;
        return HTTP_TO_LINE_END;
    } else
        return HTTP_BROKEN;
    message->length = message->length << 4 | digit;
    message->read = 1;
    return message->length < HTTP_MAX_LENGTH ? HTTP_EACH_BYTE : HTTP_BROKEN;
}

static __always_inline int http_chunk_size_end(struct http_message *message) {
    if (message->length == 0)
        return http_next(message, HTTP_TRAILER_LINE, HTTP_EACH_BYTE);
    /* With the end of line behind the chunk. */
    message->length += 2;
    return http_next(message, HTTP_CHUNK, HTTP_CHUNK_BEGIN);
}

/* Follows a stream by a byte, which is not one of a body. All that it keeps is in the message. */
static __always_inline int http_follow(struct http_message *message, __u32 byte, __u64 now) {
    switch (message->state) {
    case HTTP_BETWEEN:
        return http_begin(message, byte, now);
    case HTTP_METHOD:
        if (byte == ' ') {
            message->method = http_method(message);
            return http_next(message, HTTP_TARGET, HTTP_EACH_BYTE);
        }
        message->word = message->word << 8 | byte;
        message->read++;
        return http_is_token(byte) && message->read <= HTTP_MAX_METHOD ? HTTP_EACH_BYTE : HTTP_BROKEN;
    case HTTP_TARGET:
        if (byte > ' ') {
            message->read = 1;
            return HTTP_TO_SPACE;
        }
        if (byte != ' ' || !message->read)
            return HTTP_BROKEN;
        return http_next(message, HTTP_REQUEST_VERSION, HTTP_EACH_BYTE);
    case HTTP_REQUEST_VERSION:
        if (byte == '\n') {
            if (message->read != 8 || !http_is_version(message->word))
                return HTTP_BROKEN;
            return http_next(message, HTTP_LINE, HTTP_REQUEST_LINE);
        }
        if (byte == '\r')
            return HTTP_EACH_BYTE;
        message->word = message->word << 8 | byte;
        return ++message->read <= 8 ? HTTP_EACH_BYTE : HTTP_BROKEN;
    case HTTP_RESPONSE_VERSION:
        if (byte == ' ') {
            if (message->read != 8 || !http_is_version(message->word))
                return HTTP_BROKEN;
            return http_next(message, HTTP_STATUS, HTTP_EACH_BYTE);
        }
        message->word = message->word << 8 | byte;
        return ++message->read <= 8 ? HTTP_EACH_BYTE : HTTP_BROKEN;
    case HTTP_STATUS:
        if (http_is_digit(byte)) {
            message->status = message->status * 10 + byte - '0';
            return ++message->read <= 3 ? HTTP_EACH_BYTE : HTTP_BROKEN;
        }
        if (message->read != 3 || message->status < 100 || message->status > 599)
            return HTTP_BROKEN;
        if (byte == '\n')
            return http_next(message, HTTP_LINE, HTTP_EACH_BYTE);
        message->state = HTTP_REASON;
        return byte == ' ' || byte == '\r' ? HTTP_TO_LINE_END : HTTP_BROKEN;
    case HTTP_LINE:
        if (byte == '\n')
            return HTTP_HEAD_END;
        if (byte == '\r')
            return HTTP_EACH_BYTE;
        message->name = http_lower(byte) == 't';
        message->read = 0;
        message->state = HTTP_NAME;
        return http_name_byte(message, byte);
    case HTTP_NAME:
        return http_name_byte(message, byte);
    case HTTP_LENGTH:
        if (byte == '\n')
            return http_length_end(message);
        if (byte == '\r' || byte == ' ' || byte == '\t') {
            /* Nothing but space may follow. */
            if (message->read)
                message->read = 2;
            return HTTP_EACH_BYTE;
        }
        if (!http_is_digit(byte) || message->read == 2)
            return HTTP_BROKEN;
        message->read = 1;
        message->next_length = message->next_length * 10 + byte - '0';
        return message->next_length < HTTP_MAX_LENGTH ? HTTP_EACH_BYTE : HTTP_BROKEN;
    case HTTP_CODING:
        if (byte == '\n')
            return http_coding_end(message);
        if (byte != '\r' && byte != ' ' && byte != '\t')
            message->word = message->word << 8 | http_lower(byte);
        return HTTP_EACH_BYTE;
    case HTTP_REASON:
    case HTTP_OTHER_HEADER:
        if (byte == '\n')
            return http_next(message, HTTP_LINE, HTTP_EACH_BYTE);
        return HTTP_TO_LINE_END;
    case HTTP_CHUNK_SIZE:
        if (byte == '\n')
            return message->read ? http_chunk_size_end(message) : HTTP_BROKEN;
        return http_chunk_size_byte(message, byte);
    case HTTP_CHUNK_EXTENSION:
        return byte == '\n' ? http_chunk_size_end(message) : HTTP_TO_LINE_END;
    case HTTP_TRAILER_LINE:
        if (byte == '\n')
            return HTTP_TRAILERS_END;
        if (byte == '\r')
            return HTTP_EACH_BYTE;
        message->state = HTTP_TRAILER;
        return HTTP_TO_LINE_END;
    case HTTP_TRAILER:
        if (byte == '\n')
            message->state = HTTP_TRAILER_LINE;
        return byte == '\n' ? HTTP_EACH_BYTE : HTTP_TO_LINE_END;
    }
    return HTTP_BROKEN;
}

#endif
