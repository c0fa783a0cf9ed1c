// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * HTTP/1.0 and 1.1 requests of the pod's sockets, as server and as client. The packets of a socket are put
 * back into the two streams of its connection by their sequence numbers, and the streams are followed from
 * message to message: bodies are skipped by their length, heads and chunk sizes read byte by byte. A
 * connection that does not begin with a request is marked and not looked at again.
 *
 * Packets are seen before the socket takes what they carry, and after it has sent it: a response never comes
 * before its request. What a socket sends comes in order and under its lock. What it receives may come out of
 * order, and on two CPUs at once.
 */
#include "container.bpf.h"
#include "http.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "uncounted.bpf.h"

/* Requests of a connection that wait for their response, beyond which they are not counted. */
#define PENDING 32
/* How much of a head is read at a time. */
#define BLOCK 128
/* How many words of it are passed over at a time. */
#define WORDS 4
/* How many bytes that mean something are followed at a time: the verifier goes through each of them. */
#define STEPS       16
#define EARLY_STEPS 4
/* How often that is done for a packet, squared. */
#define TURNS 256
/* Upper bounds in ms: those that OpenTelemetry advises, from 5 ms on, and smaller ones. */
#define DURATION_BUCKETS 17
/* How often a connection that was there before the sidecar is tried as HTTP. */
#define MAX_ATTEMPTS 16
/* How often, squared, to ask whether another CPU is done with a packet of the same connection, for which it
 * needs a few microseconds. */
#define SPINS 256
#define LOCKS 64
/* A gap is filled within the time that TCP takes to send again. */
#define MAX_SEGMENT_AGE_NS 5000000000ULL
#define SEGMENTS           16
#define SEGMENT_SIZE       65536

enum direction {
    RECEIVE,
    TRANSMIT,
    NEITHER,
};

enum error {
    NO_ERROR,
    CONNECTION_CLOSED,
};

struct pending {
    __u64 began_ns;
    __u32 number;
    __u8 method;
};

/* One direction of a connection. */
struct stream {
    struct http_message message;
    /* What is being followed: when it came, and its sequence numbers. */
    __u64 now;
    __u32 sequence;
    __u32 end;
    /* Where the payload is in the packet. */
    __u32 offset;
    /* The segment that was kept, counted from 1; 0 while it is the packet. */
    __u32 segment;
    /* The sequence number of the next byte to follow. */
    __u32 next;
    /* That a message begins here is a guess, until its first line is complete. */
    bool guessed;
    union {
        __u8 block[BLOCK];
        __u64 words[BLOCK / sizeof(__u64)];
    };
};

struct connection {
    __u64 container;
    struct stream streams[2];
    /* How many requests came, and how many of them were answered: only one direction writes each. */
    __u32 asked;
    __u32 answered;
    struct pending pending[PENDING];
    /* A CPU is at work on what the socket receives. */
    __u32 busy;
    /* At most so many segments of it are kept. */
    __u32 segments;
    /* The direction of its requests. */
    __u8 requests;
    /* The direction that data went last. */
    __u8 last;
    __u8 attempts;
    /* It was there before us, so that nobody knows where in its streams we are. */
    bool old;
    /* It has had a request. */
    bool is_http;
    __u8 ignored;
    /* A request was answered before its first line was complete. */
    bool answered_early;
    /* Some of its requests were not seen. */
    bool has_missed;
    /* So far it is that of a listening socket. */
    bool is_early;
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct connection);
} connections SEC(".maps");

/* Connections that are not HTTP, or not any more. */
struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, __u8);
} others SEC(".maps");

struct endpoints {
    __u8 remote[16];
    __u8 local[16];
    __be16 remote_port;
    __be16 local_port;
};

/* Data that completes a handshake is the listening socket's: the connection has none of its own yet. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 512);
    __type(key, struct endpoints);
    __type(value, struct connection);
} early SEC(".maps");

/*
 * For what must be asked and set at once: atomic operations that return something came with Linux 5.12. A
 * connection has the one that its ports tell.
 */
struct lock {
    struct bpf_spin_lock lock;
    __u32 padding[15];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, LOCKS);
    __type(key, __u32);
    __type(value, struct lock);
} locks SEC(".maps");

/* Data that came out of order, until what is before it has come. */
struct segment {
    struct bpf_spin_lock lock;
    __u32 length;
    /* Cookie of the socket; 0 is nobody. */
    __u64 owner;
    __u64 since_ns;
    __u32 sequence;
    __u8 data[SEGMENT_SIZE];
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SEGMENTS);
    __type(key, __u32);
    __type(value, struct segment);
} segments SEC(".maps");

struct request_key {
    __u64 container;
    __u16 status;
    __u8 method;
    __u8 error;
    __u8 padding[4];
};

struct request_stats {
    HISTOGRAM(duration, DURATION_BUCKETS);
};

struct requests {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct request_key);
    __type(value, struct request_stats);
};
struct requests http_server SEC(".maps");
struct requests http_client SEC(".maps");

static const struct request_stats no_requests;
static const struct connection no_connection;

static __always_inline __u32 duration_bucket(__u64 ns) {
    static const __u16 bounds[DURATION_BUCKETS] = {1,   2,   5,    10,   25,   50,   75,    100,  250,
                                                   500, 750, 1000, 2500, 5000, 7500, 10000, 30000};
    __u64 ms = (ns + 999999) / 1000000;
    __u32 bucket = 0;
    for (int i = 0; i < DURATION_BUCKETS && ms > bounds[i]; i++)
        bucket++;
    return bucket;
}

/*
 * A global function, so that the verifier goes through it once; before Linux 5.12 those take numbers and the
 * context only. `what` is all of the key but the container.
 */
__noinline int count_as(__u64 container, __u32 requests, __u32 what, __u64 ns) {
    struct request_key key = {
        .container = container, .status = what, .method = what >> 16, .error = what >> 24};
    struct request_stats *stats = requests == RECEIVE ? find_or_make(&http_server, &key, &no_requests)
                                                      : find_or_make(&http_client, &key, &no_requests);
    if (stats)
        observe(stats->duration, DURATION_BUCKETS, duration_bucket(ns), ns);
    else
        count_uncounted();
    return 0;
}

static __always_inline void count_request(struct connection *connection, __u8 method, __u16 status,
                                          __u8 error, __u64 ns) {
    count_as(connection->container, connection->requests, status | method << 16 | error << 24, ns);
}

/* Where a request that waits is, if it was not one too many: then the number there is that of another. */
static __always_inline struct pending *place_of(struct connection *connection, __u32 number) {
    return &connection->pending[number % PENDING];
}

static __always_inline void begin_request(struct connection *connection, struct stream *stream) {
    __u32 number = connection->asked;
    connection->is_http = true;
    stream->guessed = false;
    if (connection->answered_early) {
        connection->answered_early = false;
        return;
    }
    if (number - connection->answered < PENDING) {
        struct pending *request = place_of(connection, number);
        request->began_ns = stream->message.began_ns;
        request->method = stream->message.method;
        request->number = number;
    }
    /* The other direction may be followed on another CPU, and must find the request. */
    __sync_fetch_and_add(&connection->asked, 1);
}

/* A response that no request waits for. */
static __always_inline void end_unasked(struct connection *connection, enum direction direction) {
    struct stream *stream = &connection->streams[direction];
    struct http_message *request = &connection->streams[!direction].message;
    if (connection->has_missed || request->state == HTTP_LOST) {
        count_uncounted();
    } else if (request->state >= HTTP_METHOD && request->state <= HTTP_REQUEST_VERSION) {
        /* A server need not wait for the end of a line that is too long. */
        connection->answered_early = true;
        count_request(connection, request->method, stream->message.status, NO_ERROR,
                      stream->now - request->began_ns);
    }
    /* Else it is of a server that was tired of waiting for a request: 408. */
}

static __always_inline void end_response(struct connection *connection, enum direction direction) {
    struct stream *stream = &connection->streams[direction];
    __u32 number = connection->answered;
    stream->message.state = HTTP_BETWEEN;
    if (number == connection->asked) {
        end_unasked(connection, direction);
        return;
    }
    struct pending *request = place_of(connection, number);
    if (request->number == number)
        count_request(connection, request->method, stream->message.status, NO_ERROR,
                      stream->now - request->began_ns);
    else
        count_uncounted();
    __sync_fetch_and_add(&connection->answered, 1);
}

/* Sets how the body that a head announces is followed; false when there is none. */
static __always_inline bool begin_body(struct http_message *message) {
    if (message->framing & HTTP_CHUNKED) {
        message->length = 0;
        http_next(message, HTTP_CHUNK_SIZE, HTTP_EACH_BYTE);
        return true;
    }
    if (message->framing & HTTP_OTHER_CODING || (message->is_response && !message->framing)) {
        /* No server takes a request whose end it cannot tell. */
        message->state = message->is_response ? HTTP_BODY_UNTIL_CLOSE : HTTP_LOST;
        return true;
    }
    message->state = message->length ? HTTP_BODY : HTTP_BETWEEN;
    return message->length;
}

/* The head of a response is complete; whether the response is as well. */
static __always_inline bool end_response_head(struct connection *connection, struct stream *stream) {
    struct http_message *message = &stream->message;
    __u32 waiting = connection->asked - connection->answered;
    if (stream->guessed) {
        /* Those before the last were answered where we were lost. */
        stream->guessed = false;
        for (__u32 i = 1; i < PENDING && i < waiting; i++)
            count_uncounted();
        if (waiting > 1)
            connection->answered = connection->asked - 1;
    }
    struct pending *request = place_of(connection, connection->answered);
    bool is_known = waiting && request->number == connection->answered;
    __u8 method = is_known ? request->method : HTTP_OTHER;
    __u16 status = message->status;

    if (status == 101 || (method == HTTP_CONNECT && status >= 200 && status < 300)) {
        /* What follows is another protocol. */
        connection->ignored = true;
        return true;
    }
    if (status < 200) {
        message->state = HTTP_BETWEEN;
        return false;
    }
    return method == HTTP_HEAD || status == 204 || status == 304 || !begin_body(message);
}

/* What follows is no message. */
static __always_inline void lose(struct connection *connection, struct stream *stream) {
    stream->message.state = HTTP_LOST;
    if (!stream->message.is_response)
        connection->has_missed = connection->is_http;
    if (connection->is_http)
        return;
    if (!connection->old || ++connection->attempts >= MAX_ATTEMPTS)
        connection->ignored = true;
    connection->requests = NEITHER;
}

static __always_inline bool read_endpoints(struct __sk_buff *skb, const struct headers *headers,
                                           const struct tcphdr *tcp, enum direction direction,
                                           struct endpoints *endpoints) {
    bool received = direction == RECEIVE;
    void *source = received ? endpoints->remote : endpoints->local;
    void *destination = received ? endpoints->local : endpoints->remote;
    endpoints->remote_port = received ? tcp->source : tcp->dest;
    endpoints->local_port = received ? tcp->dest : tcp->source;
    if (headers->family == 4)
        return !bpf_skb_load_bytes(skb, 12, source, 4) && !bpf_skb_load_bytes(skb, 16, destination, 4);
    return !bpf_skb_load_bytes(skb, 8, source, 16) && !bpf_skb_load_bytes(skb, 24, destination, 16);
}

/* The TCP socket of a packet, if it is one that has connections, or is one. */
static __always_inline struct bpf_sock *socket_of(struct __sk_buff *skb) {
    struct bpf_sock *sk = skb->sk;
    if (!sk)
        return NULL;
    sk = bpf_sk_fullsock(sk);
    return sk && sk->protocol == IPPROTO_TCP ? sk : NULL;
}

/*
 * What is known of the connection that a packet is of. Global functions ask for it again: before Linux 5.12
 * they are given numbers and the packet only.
 */
static __always_inline struct connection *find_connection(struct __sk_buff *skb) {
    struct bpf_sock *sk = socket_of(skb);
    return sk ? bpf_sk_storage_get(&connections, sk, NULL, 0) : NULL;
}

/* The same when the packet is still the listening socket's. */
static __always_inline struct connection *find_early(struct __sk_buff *skb) {
    struct headers headers = {};
    struct tcphdr tcp;
    struct endpoints endpoints = {};
    if (!parse(skb, &headers) || bpf_skb_load_bytes(skb, headers.transport, &tcp, sizeof(tcp)) ||
        !read_endpoints(skb, &headers, &tcp, RECEIVE, &endpoints))
        return NULL;
    return bpf_map_lookup_elem(&early, &endpoints);
}

static __always_inline struct segment *segment_at(__u32 index) {
    return bpf_map_lookup_elem(&segments, &index);
}

/* Whose the segments of a stream are. */
static __always_inline __u64 owner_of(struct __sk_buff *skb, struct stream *stream) {
    return bpf_get_socket_cookie(skb) << 1 | (stream->message.is_response & 1);
}

static __always_inline bool claim(struct segment *segment, __u64 mine, __u64 now) {
    bpf_spin_lock(&segment->lock);
    bool is_free = !segment->owner || now - segment->since_ns >= MAX_SEGMENT_AGE_NS;
    if (is_free) {
        segment->owner = mine;
        segment->since_ns = now;
    }
    bpf_spin_unlock(&segment->lock);
    return is_free;
}

/* Keeps the payload of a packet for later; false when that cannot be. */
__noinline int keep(struct __sk_buff *skb, __u32 direction) {
    struct connection *connection = find_connection(skb);
    if (!connection)
        return false;
    struct stream *stream = &connection->streams[direction & 1];
    __u32 length = stream->end - stream->sequence;
    if (length > SEGMENT_SIZE)
        return false;
    __u64 mine = owner_of(skb, stream);
    for (__u32 i = 0; i < SEGMENTS; i++) {
        struct segment *segment = segment_at(i);
        if (!segment)
            return false;
        if (!claim(segment, mine, stream->now))
            continue;
        segment->sequence = stream->sequence;
        segment->length = length;
        if (bpf_skb_load_bytes(skb, stream->offset, segment->data, bounded(length, SEGMENT_SIZE))) {
            segment->owner = 0;
            return false;
        }
        connection->segments++;
        return true;
    }
    return false;
}

/* Goes on with a segment that was kept, when what is before it has come now; 1 when there is one. */
__noinline int next_segment(struct __sk_buff *skb, __u32 direction) {
    struct connection *connection = find_connection(skb);
    if (!connection)
        return false;
    struct stream *stream = &connection->streams[direction & 1];
    __u64 mine = owner_of(skb, stream);
    if (stream->segment) {
        struct segment *done = segment_at(stream->segment - 1);
        if (done)
            done->owner = 0;
        stream->segment = 0;
    }
    connection->segments = 0;
    for (__u32 i = 0; i < SEGMENTS; i++) {
        struct segment *segment = segment_at(i);
        if (!segment || segment->owner != mine)
            continue;
        __u32 end = segment->sequence + segment->length;
        if ((__s32)(end - stream->next) <= 0) {
            segment->owner = 0;
            continue;
        }
        connection->segments++;
        if (!stream->segment && (__s32)(segment->sequence - stream->next) <= 0) {
            stream->segment = i + 1;
            stream->sequence = segment->sequence;
            stream->end = end;
        }
    }
    return stream->segment != 0;
}

/* Reads the next bytes of a stream, 1 to BLOCK, into its block. */
static __always_inline long load(struct __sk_buff *skb, struct stream *stream, __u32 length) {
    __u32 offset = stream->next - stream->sequence;
    length = bounded(length, BLOCK);
    if (!stream->segment)
        return bpf_skb_load_bytes(skb, stream->offset + offset, stream->block, length);
    struct segment *segment = segment_at(stream->segment - 1);
    if (!segment)
        return -1;
    return bpf_probe_read_kernel(stream->block, length, &segment->data[offset & (SEGMENT_SIZE - 1)]);
}

/* Passes over a part of a body; whether the message ends with it. */
static __always_inline bool skip(struct stream *stream, __u32 left) {
    struct http_message *message = &stream->message;
    if (message->state >= HTTP_BODY_UNTIL_CLOSE) {
        stream->next += left;
        return false;
    }
    __u32 length = message->length < left ? message->length : left;
    message->length -= length;
    stream->next += length;
    if (message->length)
        return false;
    if (message->state == HTTP_BODY)
        return true;
    http_next(message, HTTP_CHUNK_SIZE, HTTP_EACH_BYTE);
    return false;
}

/* The first byte from `at` on that is not above `most`, which is less than 128, or where to look on. */
static __always_inline __u64 find_up_to(struct stream *stream, __u64 at, __u64 most) {
    const __u64 each = 0x0101010101010101;
    __u64 found = 0;
#pragma unroll
    for (int i = 0; i < WORDS && !found; i++) {
        __u64 before = at % sizeof(__u64) * 8, start = at & -sizeof(__u64);
        __u64 word = stream->words[at / sizeof(__u64) % (BLOCK / sizeof(__u64))] | ((1ULL << before) - 1);
        /* The lowest bit that is set is the highest of the first such byte. */
        found = (word - each * (most + 1)) & ~word & each << 7;
        at = start + (found ? ((found & -found) >> 7) * 0x0001020304050607 >> 56 : sizeof(__u64));
    }
    return at;
}

/* Always 0, which the verifier does not know. */
static volatile __u64 nothing;

/*
 * The same number, of which the verifier knows nothing any more: else it goes through what follows once for
 * each value, before Linux 6.2 also where the value does not matter.
 */
static __always_inline __u64 hide(__u64 value, __u64 zero) {
    asm volatile("%0 += %1" : "+r"(value) : "r"(zero));
    return value;
}

/* Follows a stream through a head, by so many bytes that mean something; the last event. */
static __always_inline __u64 follow_head(struct __sk_buff *skb, struct connection *connection,
                                         struct stream *stream, __u64 steps) {
    __u64 zero = nothing, event = HTTP_EACH_BYTE, at = 0, length = 0;
    for (__u64 step = 0; step < steps; step++) {
        event = hide(event, zero);
        at = hide(at, zero);
        length = hide(length, zero);
        if (at >= length) {
            stream->next += length;
            at = length = 0;
            __u32 left = stream->end - stream->next;
            if (!left)
                break;
            length = left < BLOCK ? left : BLOCK;
            if (load(skb, stream, length))
                return HTTP_BROKEN;
        }
        if (event < HTTP_EACH_BYTE)
            at = find_up_to(stream, at, event);
        at = hide(at, zero);
        length = hide(length, zero);
        if (at >= length)
            continue;
        __u64 byte = stream->block[at % BLOCK];
        if (byte > event)
            continue;
        at++;
        event = hide(http_follow(&stream->message, hide(byte, zero), stream->now), zero);
        if (event == HTTP_REQUEST_LINE) {
            begin_request(connection, stream);
            event = HTTP_EACH_BYTE;
        }
        if (event >= HTTP_EVENT)
            break;
    }
    stream->next += at < length ? at : length;
    return event;
}

/* Follows a stream through a part of a head, and of the body behind it; whether there is more. */
static __always_inline int follow(struct __sk_buff *skb, struct connection *connection,
                                  enum direction direction, __u64 steps) {
    if (!connection)
        return false;
    struct stream *stream = &connection->streams[direction];
    struct http_message *message = &stream->message;
    bool ended = false;

    if (message->state < HTTP_BODY) {
        switch (follow_head(skb, connection, stream, steps)) {
        case HTTP_HEAD_END:
            if (message->is_response)
                ended = end_response_head(connection, stream);
            else
                begin_body(message);
            break;
        case HTTP_TRAILERS_END:
            ended = true;
            break;
        case HTTP_BROKEN:
            lose(connection, stream);
            break;
        }
    }
    __u32 left = stream->end - stream->next;
    if (left && !ended && message->state >= HTTP_BODY)
        ended = skip(stream, left);
    if (ended && message->is_response)
        end_response(connection, direction);
    else if (ended)
        message->state = HTTP_BETWEEN;
    if (connection->ignored)
        return false;
    return stream->next != stream->end || (connection->segments && next_segment(skb, direction));
}

__noinline int follow_received(struct __sk_buff *skb) {
    return follow(skb, find_connection(skb), RECEIVE, STEPS);
}

__noinline int follow_sent(struct __sk_buff *skb) {
    return follow(skb, find_connection(skb), TRANSMIT, STEPS);
}

__noinline int follow_early(struct __sk_buff *skb) {
    return follow(skb, find_early(skb), RECEIVE, EARLY_STEPS);
}

/* Takes a step as often as there is more, within bounds; whether there still is. */
static __always_inline int repeat(int (*step)(struct __sk_buff *), struct __sk_buff *skb) {
    for (int i = 0; i < TURNS; i++)
        if (!step(skb))
            return false;
    return true;
}

__noinline int repeat_received(struct __sk_buff *skb) {
    return repeat(follow_received, skb);
}

__noinline int repeat_sent(struct __sk_buff *skb) {
    return repeat(follow_sent, skb);
}

__noinline int repeat_early(struct __sk_buff *skb) {
    return repeat(follow_early, skb);
}

static __always_inline void follow_all(struct __sk_buff *skb, struct connection *connection,
                                       enum direction direction) {
    if (direction == TRANSMIT)
        repeat(repeat_sent, skb);
    else if (connection->is_early)
        repeat(repeat_early, skb);
    else
        repeat(repeat_received, skb);
}

/* Whether the stream can be followed at the payload of this packet. */
static __always_inline bool is_next(struct __sk_buff *skb, struct connection *connection,
                                    enum direction direction) {
    struct stream *stream = &connection->streams[direction];
    struct http_message *message = &stream->message;
    bool turned = connection->last != direction;
    connection->last = direction;

    if (connection->requests == NEITHER) {
        struct http_message *response = &connection->streams[!direction].message;
        connection->requests = direction;
        message->is_response = 0;
        message->state = HTTP_LOST;
        response->is_response = 1;
        response->state = HTTP_LOST;
    }
    if (message->state == HTTP_LOST) {
        /* A message is likely to begin where the other side was the last to send something. */
        if (!turned)
            return false;
        message->state = HTTP_BETWEEN;
        stream->guessed = true;
        stream->next = stream->sequence;
    }
    __s32 gap = stream->sequence - stream->next;
    if (gap <= 0)
        return (__s32)(stream->end - stream->next) > 0;
    if (message->state == HTTP_BODY_UNTIL_CLOSE) {
        stream->next = stream->sequence;
        return true;
    }
    /* That a part of a body is missing does not matter. */
    if (message->state >= HTTP_BODY && (__u32)gap <= message->length) {
        message->length -= gap;
        stream->next = stream->sequence;
        return true;
    }
    /* The cookie of a listening socket is that of many connections. */
    if (connection->is_early || !keep(skb, direction))
        lose(connection, stream);
    return false;
}

/* A body that begins after the gap may be complete with it: `follow` is called all the same. */
static __always_inline void take(struct __sk_buff *skb, struct connection *connection,
                                 enum direction direction, bool fin) {
    struct stream *stream = &connection->streams[direction];
    if (connection->ignored)
        return;
    if (stream->end != stream->sequence && is_next(skb, connection, direction))
        follow_all(skb, connection, direction);
    if (fin && stream->message.state == HTTP_BODY_UNTIL_CLOSE)
        end_response(connection, direction);
}

/* Sets whether a CPU is at work on what the socket receives; false when that was so before. */
static __always_inline bool set_busy(struct connection *connection, __u32 place, bool busy) {
    struct lock *lock = bpf_map_lookup_elem(&locks, &place);
    if (!lock)
        return false;
    bpf_spin_lock(&lock->lock);
    bool is_new = connection->busy != busy;
    connection->busy = busy;
    bpf_spin_unlock(&lock->lock);
    return is_new;
}

/* Waits for another CPU; 1 when it is done. */
__noinline int wait(struct __sk_buff *skb, __u32 place) {
    struct connection *connection = find_connection(skb) ?: find_early(skb);
    if (!connection)
        return false;
    for (int i = 0; i < SPINS; i++)
        if (set_busy(connection, place, true))
            return true;
    return false;
}

static __always_inline bool lock(struct __sk_buff *skb, struct connection *connection, __u32 place) {
    if (set_busy(connection, place, true))
        return true;
    for (int i = 0; i < SPINS; i++)
        if (wait(skb, place))
            return true;
    return false;
}

/* The first data of a connection says who asks. */
static __always_inline void begin(struct connection *connection, enum direction direction, __u32 sequence,
                                  __u32 acknowledged) {
    connection->requests = direction;
    connection->last = NEITHER;
    connection->streams[direction].next = sequence;
    connection->streams[!direction].next = acknowledged;
    connection->streams[!direction].message.is_response = 1;
    /* A SYN with data (TCP Fast Open) does not know yet where the other direction begins. */
    if (!acknowledged)
        connection->streams[!direction].message.state = HTTP_LOST;
}

static __always_inline bool has_room(struct stream *stream, __u32 sequence) {
    return sequence - stream->next + (1 << 20) < 1 << 21;
}

/* Makes what is known of a connection, at its first data that is seen. NULL when memory is full. */
static __always_inline struct connection *make_connection(struct __sk_buff *skb, struct bpf_sock *sk,
                                                          const struct headers *headers,
                                                          const struct tcphdr *tcp,
                                                          enum direction direction) {
    struct endpoints endpoints = {};
    __u32 sequence = bpf_ntohl(tcp->seq) + tcp->syn, acknowledged = bpf_ntohl(tcp->ack_seq);
    if (!read_endpoints(skb, headers, tcp, direction, &endpoints))
        return NULL;
    struct connection *before = bpf_map_lookup_elem(&early, &endpoints);
    if (sk->state == BPF_TCP_LISTEN) {
        if (before && has_room(&before->streams[RECEIVE], sequence))
            return before;
        bpf_map_update_elem(&early, &endpoints, &no_connection, BPF_ANY);
        struct connection *made = bpf_map_lookup_elem(&early, &endpoints);
        if (made) {
            made->container = skb_container(skb);
            made->is_early = true;
            begin(made, RECEIVE, sequence, acknowledged);
        }
        return made;
    }

    struct bpf_tcp_sock *state = bpf_tcp_sock(sk);
    if (!state)
        return NULL;
    /* Else it is of an older connection between the same endpoints. */
    bool is_same = before && has_room(&before->streams[RECEIVE], state->rcv_nxt);
    struct connection *connection =
        bpf_sk_storage_get(&connections, sk, is_same ? before : NULL, BPF_SK_STORAGE_GET_F_CREATE);
    if (!connection)
        return bpf_sk_storage_get(&connections, sk, NULL, 0);
    if (before)
        bpf_map_delete_elem(&early, &endpoints);
    if (is_same) {
        connection->busy = 0;
        connection->is_early = false;
        return connection;
    }
    connection->container = skb_container(skb);
    /* The SYN may be among the bytes. */
    bool is_new = state->bytes_received == 0 && state->bytes_acked <= 1;
    if (direction == RECEIVE && is_new && state->snd_nxt == state->snd_una) {
        begin(connection, RECEIVE, state->rcv_nxt, acknowledged);
    } else if (direction == TRANSMIT && is_new && sequence - tcp->syn == state->snd_una) {
        begin(connection, TRANSMIT, sequence, state->rcv_nxt);
    } else {
        connection->old = true;
        connection->requests = NEITHER;
        connection->last = NEITHER;
    }
    return connection;
}

/* A connection that is ignored keeps only the mark of it. */
static __always_inline void forget(struct bpf_sock *sk) {
    if (bpf_sk_storage_get(&others, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE))
        bpf_sk_storage_delete(&connections, sk);
}

static __always_inline int follow_packet(struct __sk_buff *skb, enum direction direction) {
    struct headers headers = {};
    struct tcphdr tcp;
    struct bpf_sock *sk = socket_of(skb);
    if (!sk)
        return ALLOW;
    struct connection *connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
    if (!connection && bpf_sk_storage_get(&others, sk, NULL, 0))
        return ALLOW;
    if (!parse(skb, &headers) || headers.protocol != IPPROTO_TCP ||
        bpf_skb_load_bytes(skb, headers.transport, &tcp, sizeof(tcp)))
        return ALLOW;
    __u32 offset = headers.transport + tcp.doff * 4;
    __u32 length = skb->len > offset ? skb->len - offset : 0;
    if (!length && !(connection && tcp.fin))
        return ALLOW;
    if (!connection)
        connection = make_connection(skb, sk, &headers, &tcp, direction);
    if (!connection) {
        count_uncounted();
        return ALLOW;
    }

    __u32 place = (tcp.source + tcp.dest) % LOCKS;
    if (direction == RECEIVE && !lock(skb, connection, place)) {
        count_uncounted();
        return ALLOW;
    }
    struct stream *stream = &connection->streams[direction];
    stream->now = bpf_ktime_get_ns();
    stream->sequence = bpf_ntohl(tcp.seq) + tcp.syn;
    stream->end = stream->sequence + length;
    stream->offset = offset;
    stream->segment = 0;
    take(skb, connection, direction, tcp.fin);
    bool ignored = connection->ignored;
    if (direction == RECEIVE)
        set_busy(connection, place, false);
    if (ignored && sk->state != BPF_TCP_LISTEN)
        forget(sk);
    return ALLOW;
}

SEC("cgroup_skb/ingress")
int http_receive(struct __sk_buff *skb) {
    return follow_packet(skb, RECEIVE);
}

SEC("cgroup_skb/egress")
int http_transmit(struct __sk_buff *skb) {
    return follow_packet(skb, TRANSMIT);
}

/* The requests that wait when their connection ends never get their response. */
static __always_inline void end_connection(struct connection *connection) {
    if (connection->requests == NEITHER)
        return;
    struct http_message *response = &connection->streams[connection->requests == RECEIVE].message;
    __u64 now = bpf_ktime_get_ns();
    __u32 first = connection->answered, last = connection->asked;
    __u16 status = response->state >= HTTP_REASON && response->state < HTTP_LOST ? response->status : 0;
    connection->answered = last;
    for (__u32 i = 0; i < 4 * PENDING && first + i != last; i++) {
        struct pending *request = place_of(connection, first + i);
        if (request->number == first + i && response->state != HTTP_LOST)
            count_request(connection, request->method, i ? 0 : status, CONNECTION_CLOSED,
                          now - request->began_ns);
        else
            count_uncounted();
    }
}

/*
 * Tracepoints have the storage of sockets since 8e4597c627fb ("bpf: Allow using bpf_sk_storage in
 * FENTRY/FEXIT/RAW_TP", Linux 5.11), as they have TYPED_CURRENT.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(http_close, struct sock *sk, int old_state, int state) {
    if (!TYPED_CURRENT || state != BPF_TCP_CLOSE)
        return 0;
    struct connection *connection = bpf_sk_storage_get(&connections, sk, NULL, 0);
    if (connection)
        end_connection(connection);
    return 0;
}

/* The same without that storage. Nobody tells of the end of connections that were there before. */
SEC("sockops")
int http_close_before_5_11(struct bpf_sock_ops *ctx) {
    if (TYPED_CURRENT)
        return 1;
    if (ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
        bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
    if (ctx->op != BPF_SOCK_OPS_STATE_CB || ctx->args[1] != BPF_TCP_CLOSE)
        return 1;
    struct bpf_sock *sk = ctx->sk;
    struct connection *connection = sk ? bpf_sk_storage_get(&connections, sk, NULL, 0) : NULL;
    if (connection)
        end_connection(connection);
    return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
