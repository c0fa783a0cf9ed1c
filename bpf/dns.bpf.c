// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * DNS lookups of the pod as a client: queries to port 53 and the responses from there, over UDP and TCP. A
 * response belongs to the query with the same socket, server, id and question.
 */
#include <linux/tcp.h>
#include <linux/udp.h>
#include "container.bpf.h"
#include "maps.bpf.h"
#include "packet.bpf.h"
#include "uncounted.bpf.h"

#define DNS_PORT 53
/* In a segment, which the kernel may have joined from many. */
#define MAX_MESSAGES 64
/* The bytes of a name as messages have it: the longest is 255, of 127 labels and the root (RFC 1035, 3.1). */
#define MAX_NAME   255
#define MAX_LABELS 128
#define MAX_LABEL  63
/* Longer names are not kept. */
#define KEPT_NAME 64
#define MAX_NAMES 1024

/* Powers of two from 32 us to 16.8 s. */
#define LOOKUP_BUCKETS 20
#define FIRST_BUCKET   5

/* Names that are a label of their own, each in a series; 0 leaves the label out. */
const volatile __u32 option_domains = 0;

struct dns_header {
    __be16 id;
    __be16 flags;
    __be16 questions;
    __be16 records[3];
};

#define RESPONSE(flags) ((flags) >> 15)
#define OPCODE(flags)   ((flags) >> 11 & 15)
#define RCODE(flags)    ((flags)&15)

struct name {
    __u64 words[KEPT_NAME / 8];
};

struct question {
    /* In lower case, as messages have it, zeros after it. */
    struct name name;
    __u32 name_length;
    __u16 type;
    __u64 hash;
};

struct query_key {
    __u64 container;
    struct name name;
    __u16 type;
    __u16 padding[3];
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 16384);
    __type(key, struct query_key);
    __type(value, __u64);
} queries SEC(".maps");

static const __u64 no_queries;

struct response_key {
    __u64 container;
    struct name name;
    __u8 rcode;
    __u8 padding[7];
};

struct responses {
    __u64 count;
    HISTOGRAM(lookup, LOOKUP_BUCKETS);
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, 16384);
    __type(key, struct response_key);
    __type(value, struct responses);
} responses SEC(".maps");

static const struct responses no_responses;

struct dns_stats {
    __u64 unanswered;
    __u64 unmatched;
    __u64 malformed;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 256);
    __type(key, __u64); /* container */
    __type(value, struct dns_stats);
} dns SEC(".maps");

static const struct dns_stats no_stats;

/* The names that became labels, for good. */
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __uint(max_entries, MAX_NAMES);
    __type(key, struct name);
    __type(value, __u8);
} names SEC(".maps");

static const __u8 present = 1;
__u32 names_kept = 0;

struct lookup_key {
    /* Of the socket. */
    __u64 cookie;
    /* Some resolvers ask several servers with one socket and one id. */
    __u8 server[16];
    __be16 id;
    __u16 tcp;
    __u32 padding;
};

struct lookup {
    __u64 start_ns;
    __u64 question;
};

/* Queries without a response yet. Large enough that the free entries that each CPU takes are few of them. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 8192);
    __type(key, struct lookup_key);
    __type(value, struct lookup);
} lookups SEC(".maps");

/* A direction of a TCP connection: messages, each after its length in two bytes. */
struct stream {
    /* The sequence number up to which it is read; beyond what came so far inside a message. */
    __u32 next;
    __u16 length;
    /* Bytes of the length that are read. */
    __u8 length_bytes;
    /* Whether `next` is known. */
    __u8 followed;
};

struct socket {
    __u64 container;
    /* Queries without a response. */
    __s64 waiting;
    struct stream sent;
    struct stream received;
};

struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC);
    __type(key, int);
    __type(value, struct socket);
} sockets SEC(".maps");

static __always_inline struct socket *socket_of(struct __sk_buff *skb, int flags) {
    struct bpf_sock *sk = skb->sk;
    if (!sk)
        return NULL;
    sk = bpf_sk_fullsock(sk);
    return sk ? bpf_sk_storage_get(&sockets, sk, NULL, flags) : NULL;
}

static __always_inline struct dns_stats *stats_of(__u64 container) {
    struct dns_stats *stats = find_or_make(&dns, &container, &no_stats);
    if (!stats)
        count_uncounted();
    return stats;
}

static __always_inline void count_malformed(struct __sk_buff *skb) {
    struct dns_stats *stats = stats_of(skb_container(skb));
    if (stats)
        add(stats->malformed, 1);
}

static __always_inline void count_unmatched(struct __sk_buff *skb) {
    struct dns_stats *stats = stats_of(skb_container(skb));
    if (stats)
        add(stats->unmatched, 1);
}

static __always_inline void count_unanswered(__u64 container, __u64 number) {
    struct dns_stats *stats = stats_of(container);
    if (stats)
        add(stats->unanswered, number);
}

/*
 * The bytes of the name at `offset`, 0 when there is none. The name of a question is never compressed, as
 * nothing comes before it.
 *
 * A global function, as are those below: the verifier goes through each once, and not for every path to its
 * calls. Those of Linux 5.10 and 6.1 would come to no end with a loop that branches and calls: what it does
 * each time is a function as well. The arguments are the context and numbers, as pointers need Linux 5.12
 * (e5069b9c23b3, "bpf: Support pointers in global func args").
 */
__noinline __u32 name_length(struct __sk_buff *skb, __u32 offset, __u32 end) {
    __u32 at = offset;
    for (int i = 0; i < MAX_LABELS; i++) {
        __u8 label;
        if (at >= end || bpf_skb_load_bytes(skb, at, &label, sizeof(label)) || label > MAX_LABEL)
            return 0;
        at += 1 + label;
        if (at - offset > MAX_NAME)
            return 0;
        if (!label)
            return at - offset;
    }
    return 0;
}

/* Eight bytes of a name; the lengths in it, up to 63, are below the letters. */
static __always_inline __u64 lower_case(__u64 word) {
    const __u64 ones = 0x0101010101010101ULL;
    __u64 low = word & 0x7F * ones;
    __u64 from_a = low + (0x80 - 'A') * ones;
    __u64 above_z = low + (0x7F - 'Z') * ones;
    return word | (from_a & ~above_z & ~word & 0x80 * ones) >> 2;
}

static __always_inline __u64 mix(__u64 hash, __u64 word) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
    return hash ^ hash >> 32;
}

static __always_inline bool read_question(struct __sk_buff *skb, __u32 offset, __u32 end,
                                          struct question *question) {
    struct {
        __be16 type;
        __be16 class;
    } after;
    __u32 length = name_length(skb, offset, end);
    __u32 kept = length < KEPT_NAME ? length : KEPT_NAME;
    if (!length || offset + length + sizeof(after) > end ||
        bpf_skb_load_bytes(skb, offset + length, &after, sizeof(after)) ||
        bpf_skb_load_bytes(skb, offset, &question->name, bounded(kept, KEPT_NAME)))
        return false;
    question->name_length = length;
    question->type = bpf_ntohs(after.type);
    question->hash = mix(length, question->type);
    for (int i = 0; i < KEPT_NAME / 8; i++) {
        question->name.words[i] = lower_case(question->name.words[i]);
        question->hash = mix(question->hash, question->name.words[i]);
    }
    return true;
}

/* Whether a name is one of those that are labels. CPUs at the same time may keep a few more than asked. */
static __always_inline bool is_kept(const struct name *name) {
    if (bpf_map_lookup_elem(&names, name))
        return true;
    if (names_kept >= option_domains || bpf_map_update_elem(&names, name, &present, BPF_NOEXIST))
        return false;
    add(names_kept, 1);
    return true;
}

/* What a key has of the name: nothing without the option, and of those beyond it what reads as `~other`. */
static __always_inline void set_label(struct name *label, const struct question *question) {
    static const struct name other = {{0x726568746F7E06 /* 6 ~other */}};
    if (!option_domains)
        return;
    *label = question->name_length <= KEPT_NAME && is_kept(&question->name) ? question->name : other;
}

static __always_inline void read_server(struct __sk_buff *skb, bool response, struct lookup_key *key) {
    if (skb->protocol == bpf_htons(ETH_P_IP)) {
        __u32 offset = response ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr);
        bpf_skb_load_bytes(skb, offset, key->server, 4);
    } else {
        __u32 offset = response ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr);
        bpf_skb_load_bytes(skb, offset, key->server, 16);
    }
}

static __always_inline __u16 known_type(__u16 type) {
    switch (type) {
    case 1:   /* A */
    case 2:   /* NS */
    case 5:   /* CNAME */
    case 6:   /* SOA */
    case 12:  /* PTR */
    case 15:  /* MX */
    case 16:  /* TXT */
    case 28:  /* AAAA */
    case 33:  /* SRV */
    case 35:  /* NAPTR */
    case 43:  /* DS */
    case 46:  /* RRSIG */
    case 48:  /* DNSKEY */
    case 52:  /* TLSA */
    case 64:  /* SVCB */
    case 65:  /* HTTPS */
    case 251: /* IXFR */
    case 252: /* AXFR */
    case 255: /* ANY */
    case 257: /* CAA */
        return type;
    default:
        return 0;
    }
}

/* Whether there is a query, or a response, of the usual kind at `offset`, which ends before `end`. */
static __always_inline bool read_header(struct __sk_buff *skb, __u32 offset, __u32 end, bool response,
                                        struct dns_header *header) {
    if (offset + sizeof(*header) > end || bpf_skb_load_bytes(skb, offset, header, sizeof(*header))) {
        count_malformed(skb);
        return false;
    }
    __u16 flags = bpf_ntohs(header->flags);
    return RESPONSE(flags) == response && !OPCODE(flags);
}

/* The query at `offset`, which ends before `end`. */
__noinline int count_query(struct __sk_buff *skb, __u32 offset, __u32 end, __u32 tcp) {
    struct dns_header header;
    struct question question = {};
    if (!read_header(skb, offset, end, false, &header))
        return 0;
    if (header.questions != bpf_htons(1) || !read_question(skb, offset + sizeof(header), end, &question)) {
        count_malformed(skb);
        return 0;
    }

    struct query_key key = {.container = skb_container(skb), .type = known_type(question.type)};
    set_label(&key.name, &question);
    struct socket *socket = socket_of(skb, BPF_SK_STORAGE_GET_F_CREATE);
    __u64 *count = find_or_make(&queries, &key, &no_queries);
    if (!socket || !count) {
        count_uncounted();
        return 0;
    }
    add(*count, 1);

    struct lookup_key lookup_key = {.cookie = bpf_get_socket_cookie(skb), .id = header.id, .tcp = tcp};
    read_server(skb, false, &lookup_key);
    struct lookup *before = bpf_map_lookup_elem(&lookups, &lookup_key);
    if (before)
        count_unanswered(key.container, 1);
    else
        add(socket->waiting, 1);
    if (socket->container != key.container) {
        socket->container = key.container;
        /* Its counters are there, at 0, before they have anything to count. */
        stats_of(key.container);
    }
    if (before && before->question == question.hash)
        return 0;
    struct lookup lookup = {.start_ns = bpf_ktime_get_ns(), .question = question.hash};
    bpf_map_update_elem(&lookups, &lookup_key, &lookup, BPF_ANY);
    return 0;
}

/* The response at `offset`, whose first part, at least, ends before `end`. */
__noinline int count_response(struct __sk_buff *skb, __u32 offset, __u32 end, __u32 tcp) {
    struct dns_header header;
    struct question question = {};
    if (!read_header(skb, offset, end, true, &header))
        return 0;
    /* Some servers repeat no question in an error. */
    if (header.questions &&
        (header.questions != bpf_htons(1) || !read_question(skb, offset + sizeof(header), end, &question))) {
        count_malformed(skb);
        return 0;
    }

    struct lookup_key lookup_key = {.cookie = bpf_get_socket_cookie(skb), .id = header.id, .tcp = tcp};
    read_server(skb, true, &lookup_key);
    struct lookup *lookup = bpf_map_lookup_elem(&lookups, &lookup_key);
    struct socket *socket = socket_of(skb, 0);
    if (!lookup || !socket || (header.questions && lookup->question != question.hash)) {
        count_unmatched(skb);
        return 0;
    }
    __u64 us = (bpf_ktime_get_ns() - lookup->start_ns + 999) / 1000;
    /* Of two responses at the same time one deletes it. */
    if (bpf_map_delete_elem(&lookups, &lookup_key)) {
        count_unmatched(skb);
        return 0;
    }
    add(socket->waiting, -1);

    struct response_key key = {.container = skb_container(skb), .rcode = RCODE(bpf_ntohs(header.flags))};
    set_label(&key.name, &question);
    struct responses *found = find_or_make(&responses, &key, &no_responses);
    if (!found) {
        count_uncounted();
        return 0;
    }
    __u32 bucket = ceil_log2(us);
    add(found->count, 1);
    observe(found->lookup, LOOKUP_BUCKETS, bucket > FIRST_BUCKET ? bucket - FIRST_BUCKET : 0, us);
    return 0;
}

static __always_inline void count_message(struct __sk_buff *skb, __u32 offset, __u32 end, bool response,
                                          bool tcp) {
    if (response)
        count_response(skb, offset, end, tcp);
    else
        count_query(skb, offset, end, tcp);
}

/* The direction of the packet's connection; NULL when nothing is known of it. */
static __always_inline struct stream *stream_of(struct __sk_buff *skb, bool response, int flags) {
    struct socket *socket = socket_of(skb, flags);
    if (!socket)
        return NULL;
    return response ? &socket->received : &socket->sent;
}

/* Whether a segment is one whole message: a stream that was lost goes on with it. */
static __always_inline bool is_message(struct __sk_buff *skb, __u32 payload) {
    __be16 length;
    return !bpf_skb_load_bytes(skb, payload, &length, sizeof(length)) &&
           payload + sizeof(length) + bpf_ntohs(length) == skb->len;
}

/*
 * Reads a message, or what is missing of it, at `offset` of a segment that ends at `end`. Where the next one
 * begins, which may be beyond the end; 0 when it cannot be read.
 */
__noinline __u32 read_message(struct __sk_buff *skb, __u32 offset, __u32 end, __u32 response) {
    struct stream *stream = stream_of(skb, response, 0);
    __u32 at = offset;
    if (!stream)
        return 0;
    for (int i = 0; i < 2 && stream->length_bytes < 2 && at < end; i++) {
        __u8 byte;
        if (bpf_skb_load_bytes(skb, at, &byte, sizeof(byte)))
            return 0;
        stream->length = stream->length << 8 | byte;
        stream->length_bytes++;
        at++;
    }
    if (at >= end)
        return at;
    __u32 message_end = at + stream->length;
    count_message(skb, at, message_end < end ? message_end : end, response, true);
    stream->length_bytes = 0;
    return message_end;
}

/* Reads the messages that begin in a segment. What is sent again, or comes again, is read once. */
static __always_inline void read_segment(struct __sk_buff *skb, __u32 transport, struct stream *stream,
                                         bool response) {
    struct tcphdr tcp;
    if (bpf_skb_load_bytes(skb, transport, &tcp, sizeof(tcp)))
        return;
    __u32 sequence = bpf_ntohl(tcp.seq);
    __u32 payload = transport + tcp.doff * 4;
    __u32 end = skb->len;
    if (tcp.syn) {
        stream->next = sequence + 1;
        stream->length_bytes = 0;
        stream->followed = true;
        return;
    }
    if (payload >= end)
        return;

    __s32 known = stream->next - sequence;
    if (stream->followed && known < 0) {
        stream->followed = false;
        count_uncounted();
    }
    if (!stream->followed) {
        if (!is_message(skb, payload))
            return;
        stream->followed = true;
        stream->length_bytes = 0;
        known = 0;
    }
    if (known >= end - payload)
        return;

    __u32 at = payload + known;
    for (int i = 0; i < MAX_MESSAGES && at < end; i++) {
        at = read_message(skb, at, end, response);
        if (!at)
            return;
    }
    stream->next = sequence + at - payload;
}

/*
 * Of a packet to a DNS server, or from one: where its transport header begins, and 32 bits above that its
 * protocol. 0 of all others.
 */
__noinline __u64 dns_transport(struct __sk_buff *skb, __u32 response) {
    struct headers headers = {};
    struct {
        __be16 source;
        __be16 destination;
    } ports;
    if (!parse(skb, &headers) || (headers.protocol != IPPROTO_UDP && headers.protocol != IPPROTO_TCP) ||
        bpf_skb_load_bytes(skb, headers.transport, &ports, sizeof(ports)) ||
        (response ? ports.source : ports.destination) != bpf_htons(DNS_PORT))
        return 0;
    return (__u64)headers.protocol << 32 | headers.transport;
}

static __always_inline int read_packet(struct __sk_buff *skb, bool response) {
    __u64 found = dns_transport(skb, response);
    __u32 transport = found;
    if (!found)
        return ALLOW;

    if (found >> 32 == IPPROTO_UDP) {
        /* Datagrams that are joined, which no resolver asks for. */
        if (skb->gso_size)
            count_uncounted();
        else
            count_message(skb, transport + sizeof(struct udphdr), skb->len, response, false);
        return ALLOW;
    }
    struct stream *stream = stream_of(skb, response, response ? 0 : BPF_SK_STORAGE_GET_F_CREATE);
    if (stream)
        read_segment(skb, transport, stream, response);
    return ALLOW;
}

SEC("cgroup_skb/egress")
int send_queries(struct __sk_buff *skb) {
    return read_packet(skb, false);
}

SEC("cgroup_skb/ingress")
int receive_responses(struct __sk_buff *skb) {
    return read_packet(skb, true);
}

/* Nobody waits any longer for a response to a socket that is closed. */
SEC("cgroup/sock_release")
int close_socket(struct bpf_sock *sk) {
    struct socket *socket = bpf_sk_storage_get(&sockets, sk, NULL, 0);
    if (socket && socket->waiting > 0)
        count_unanswered(socket->container, socket->waiting);
    return ALLOW;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
