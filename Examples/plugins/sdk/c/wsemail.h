// Server plug-ins for WSEmail in C: version 1 of the ABI (docs/plugins.md). Freestanding; link it with plugrt.c.
//
// A plug-in defines ws_handle and names its roles once:
//
//     WS_PLUGIN("sending", "delivery")
//     static ws_answer ws_handle(ws_kind kind, ws_bytes event) { return WS_PROCEED; }
//
// Every call gets a new instance of the module: static variables do not survive a call.
#ifndef WSEMAIL_H
#define WSEMAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *malloc(size_t size);
void free(void *block);
void *memcpy(void *restrict to, const void *restrict from, size_t count);
int memcmp(const void *left, const void *right, size_t count);
size_t strlen(const char *text);

typedef enum { WS_SENDING = 1, WS_DELIVERY, WS_EXTENSION, WS_RESOLVER } ws_kind;

// Tags of fields.
enum {
    WS_ROLE = 1, WS_EVENT_ID, WS_MESSAGE_ID, WS_FROM, WS_TO, WS_CC, WS_DATE, WS_IN_REPLY_TO, WS_SIZE, WS_TRAIT, WS_ATTACHMENT,
    WS_ATTACHMENT_NAME, WS_MEDIA_TYPE, WS_SHA256, WS_RECIPIENT, WS_HOPS, WS_DOMAIN, WS_SUBJECT, WS_TEXT, WS_HTML,
    WS_MESSAGE_XML, WS_POSTMARK_XML, WS_PRINCIPAL, WS_METHOD, WS_TOKEN, WS_EXTENSION_IDENTIFIER, WS_REQUEST_XML, WS_ADDRESS,
    WS_SETTING, WS_NAME, WS_VALUE,
    WS_VERDICT = 64, WS_REASON, WS_FOLDER, WS_FLAG, WS_DROP, WS_TARGET, WS_REPLACEMENT, WS_SECONDS, WS_TRANSIENT, WS_ANSWER_XML,
    WS_ABI = 96, WS_DESCRIBED_ROLE,
    WS_SENDER = 112
};

// --- Octets ---------------------------------------------------------------------------------------------------------

// Some octets, seldom ours, never ended by 0.
typedef struct { const uint8_t *at; size_t count; } ws_bytes;

#define WS(literal) ((ws_bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline bool ws_equal(ws_bytes a, ws_bytes b) { return a.count == b.count && memcmp(a.at, b.at, a.count) == 0; }

static inline uint8_t ws_lower(uint8_t octet) { return octet >= 'A' && octet <= 'Z' ? octet + 32 : octet; }

static inline ws_bytes ws_trim(ws_bytes text) {
    while (text.count && text.at[0] <= ' ') text.at++, text.count--;
    while (text.count && text.at[text.count - 1] <= ' ') text.count--;
    return text;
}

// The decimal number that `text` is; `preset` if it is none or has more than 18 digits.
static inline uint64_t ws_number(ws_bytes text, uint64_t preset) {
    uint64_t number = 0;
    if (!text.count || text.count > 18) return preset;
    for (size_t i = 0; i < text.count; i++) {
        if (text.at[i] < '0' || text.at[i] > '9') return preset;
        number = number * 10 + (text.at[i] - '0');
    }
    return number;
}

// The next part of a list with commas, trimmed, never empty. False at the end.
static inline bool ws_next_part(ws_bytes *list, ws_bytes *part) {
    while (list->count) {
        size_t end = 0;
        while (end < list->count && list->at[end] != ',') end++;
        *part = ws_trim((ws_bytes){list->at, end});
        end += end < list->count;
        list->at += end, list->count -= end;
        if (part->count) return true;
    }
    return false;
}

// Whether a pattern with * for any octets describes the whole text; A-Z and a-z are the same.
static inline bool ws_is_like(ws_bytes text, ws_bytes pattern) {
    size_t at = 0, in = 0, star = SIZE_MAX, from = 0;
    while (at < text.count) {
        if (in < pattern.count && pattern.at[in] == '*') star = in++, from = at;
        else if (in < pattern.count && ws_lower(pattern.at[in]) == ws_lower(text.at[at])) in++, at++;
        else if (star != SIZE_MAX) in = star + 1, at = ++from;
        else return false;
    }
    while (in < pattern.count && pattern.at[in] == '*') in++;
    return in == pattern.count;
}

// --- Frames ---------------------------------------------------------------------------------------------------------

// The next field of a frame; moves the frame behind it. False at the end, or where the frame is damaged.
static inline bool ws_next(ws_bytes *frame, uint8_t *tag, ws_bytes *value) {
    if (frame->count < 5) return false;
    const uint8_t *head = frame->at;
    size_t count = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
    if (count > frame->count - 5) return false;
    *tag = head[0];
    *value = (ws_bytes){head + 5, count};
    frame->at += 5 + count, frame->count -= 5 + count;
    return true;
}

// The first field with a tag; empty without.
static inline ws_bytes ws_field(ws_bytes frame, uint8_t wanted) {
    uint8_t tag;
    ws_bytes value;
    while (ws_next(&frame, &tag, &value)) if (tag == wanted) return value;
    return (ws_bytes){0, 0};
}

// What the administrator set, or the manifest's preset.
static inline ws_bytes ws_setting(ws_bytes event, ws_bytes name) {
    uint8_t tag;
    ws_bytes value;
    while (ws_next(&event, &tag, &value))
        if (tag == WS_SETTING && ws_equal(ws_field(value, WS_NAME), name)) return ws_field(value, WS_VALUE);
    return (ws_bytes){0, 0};
}

// Octets that grow. Begin with {0}.
typedef struct { uint8_t *at; size_t count, room; } ws_buffer;

static inline void ws_append(ws_buffer *buffer, ws_bytes octets) {
    if (buffer->room - buffer->count < octets.count) {
        size_t room = (buffer->count + octets.count) * 2 + 64;
        uint8_t *larger = malloc(room);
        if (!larger) __builtin_trap();
        memcpy(larger, buffer->at, buffer->count);
        free(buffer->at);
        buffer->at = larger, buffer->room = room;
    }
    memcpy(buffer->at + buffer->count, octets.at, octets.count);
    buffer->count += octets.count;
}

static inline void ws_add(ws_buffer *frame, uint8_t tag, ws_bytes value) {
    uint8_t head[5] = {tag, (uint8_t)value.count, (uint8_t)(value.count >> 8), (uint8_t)(value.count >> 16), (uint8_t)(value.count >> 24)};
    ws_append(frame, (ws_bytes){head, 5});
    ws_append(frame, value);
}

static inline ws_bytes ws_octets(ws_buffer buffer) { return (ws_bytes){buffer.at, buffer.count}; }

// --- Answers --------------------------------------------------------------------------------------------------------

// Address << 32 | length of a frame.
typedef uint64_t ws_answer;

#define WS_PROCEED ((ws_answer)0)

static inline ws_answer ws_give(ws_buffer frame) { return (uint64_t)(uintptr_t)frame.at << 32 | frame.count; }

// At most 500 characters of reason. `is_transient` is for submissions and extensions only: a delivery is postponed with "later".
static inline ws_answer ws_refuse(ws_bytes reason, bool is_transient) {
    ws_buffer frame = {0};
    if (reason.count > 500) {
        reason.count = 500;
        while (reason.count && (reason.at[reason.count] & 0xC0) == 0x80) reason.count--;
    }
    ws_add(&frame, WS_VERDICT, WS("refuse"));
    ws_add(&frame, WS_REASON, reason);
    if (is_transient) ws_add(&frame, WS_TRANSIENT, WS("yes"));
    return ws_give(frame);
}

// --- The host's functions; each needs the capability in brackets. One that is not called is not imported. ------------

#define WS_IMPORT(name) __attribute__((import_module("wsemail"), import_name(name)))

// Levels: 0 debug, 1 info, 2 warning, 3 error. [log]
WS_IMPORT("log") void ws_log_raw(int32_t level, const void *text, size_t count);
// Milliseconds since 1970. [clock]
WS_IMPORT("now") int64_t ws_now(void);
// [key-value]
WS_IMPORT("kv_get") uint64_t ws_kv_get_raw(const void *key, size_t key_count);
WS_IMPORT("kv_set") int32_t ws_kv_set_raw(const void *key, size_t key_count, const void *value, size_t value_count);
WS_IMPORT("kv_delete") int32_t ws_kv_delete_raw(const void *key, size_t key_count);
WS_IMPORT("kv_list") uint64_t ws_kv_list_raw(const void *prefix, size_t prefix_count, const void *cursor, size_t cursor_count, int32_t limit);
// [send]
WS_IMPORT("send") int32_t ws_send_raw(const void *frame, size_t count);
// 0 unknown, 1 mailbox, 2 foreign. [look-up]
WS_IMPORT("lookup") int32_t ws_lookup_raw(const void *address, size_t count);

static inline void ws_log(int32_t level, ws_bytes text) { ws_log_raw(level, text.at, text.count); }

// False: there is no such value.
static inline bool ws_kv_get(ws_bytes key, ws_bytes *value) {
    uint64_t packed = ws_kv_get_raw(key.at, key.count);
    *value = (ws_bytes){(const uint8_t *)(uintptr_t)(packed >> 32), (size_t)(packed & 0xFFFFFFFFu)};
    return packed != 0;
}

// Keys have 1 to 512 octets, values up to 64 KiB.
static inline void ws_kv_set(ws_bytes key, ws_bytes value) { ws_kv_set_raw(key.at, key.count, value.at, value.count); }
static inline void ws_kv_delete(ws_bytes key) { ws_kv_delete_raw(key.at, key.count); }

// A frame of WS_NAME fields: up to `limit` keys that begin with `prefix`, those after `cursor` (empty: from the start).
static inline ws_bytes ws_kv_list(ws_bytes prefix, ws_bytes cursor, int32_t limit) {
    uint64_t packed = ws_kv_list_raw(prefix.at, prefix.count, cursor.at, cursor.count, limit);
    return (ws_bytes){(const uint8_t *)(uintptr_t)(packed >> 32), (size_t)(packed & 0xFFFFFFFFu)};
}

// A frame of WS_SENDER ("principal", "service"), WS_TO…, WS_SUBJECT, WS_TEXT and perhaps WS_IN_REPLY_TO.
static inline void ws_send(ws_buffer frame) { ws_send_raw(frame.at, frame.count); }
static inline int32_t ws_lookup(ws_bytes address) { return ws_lookup_raw(address.at, address.count); }

// --- Exports ---------------------------------------------------------------------------------------------------------

static ws_answer ws_handle(ws_kind kind, ws_bytes event);

#define WS_PLUGIN(...)                                                                                                  \
    __attribute__((export_name("describe"), used)) uint64_t ws_export_describe(void) {                                  \
        static const char *const roles[] = {__VA_ARGS__};                                                               \
        ws_buffer frame = {0};                                                                                          \
        ws_add(&frame, WS_ABI, WS("1"));                                                                                \
        for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)                                                       \
            ws_add(&frame, WS_DESCRIBED_ROLE, (ws_bytes){(const uint8_t *)roles[i], strlen(roles[i])});                 \
        return ws_give(frame);                                                                                          \
    }                                                                                                                   \
    __attribute__((export_name("handle"), used)) uint64_t ws_export_handle(int32_t kind, const uint8_t *at, size_t count) { \
        return ws_handle((ws_kind)kind, (ws_bytes){at, count});                                                         \
    }

#endif
