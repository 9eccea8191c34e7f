// The run time under every example plug-in: memory and the few functions that compilers call behind one's back.
// Freestanding wasm32, no libc. A plug-in's instance lives for one call, so speed and size matter more than reuse.
#include <stddef.h>
#include <stdint.h>

extern unsigned char __heap_base;

// Blocks come in size classes, four to each doubling (at most 25 % waste), from a heap that only grows; a freed block
// goes to its class's list. Before each block's octets stand 16 of head: its class, and for aligned blocks the
// distance back to where the block really begins.
enum { HEAD = 16, CLASSES = 128 };
struct head { uint32_t class, back, unused[2]; };

static uintptr_t top;
static void *lists[CLASSES];

static uint32_t class_of(size_t size) {
    if (size <= 32) return 0;
    uint32_t doubling = 31 - (uint32_t)__builtin_clz((uint32_t)(size - 1));  // 2^doubling <= size - 1
    return (doubling - 5) * 4 + (uint32_t)((size - 1) >> (doubling - 2) & 3) + 1;
}

static size_t class_size(uint32_t class) {
    if (class == 0) return 32;
    uint32_t doubling = 5 + (class - 1) / 4;
    return ((size_t)1 << doubling) + ((size_t)((class - 1) % 4 + 1) << (doubling - 2));
}

void *malloc(size_t size) {
    if (size > 0x40000000) return 0;
    uint32_t class = class_of(size + HEAD);
    void *block = lists[class];
    if (block) {
        lists[class] = *(void **)block;
        ((struct head *)block)[-1].back = 0;
        return block;
    }
    if (!top) top = ((uintptr_t)&__heap_base + HEAD - 1) & ~(uintptr_t)(HEAD - 1);
    uintptr_t start = top, end = start + class_size(class);
    size_t have = (size_t)__builtin_wasm_memory_size(0) << 16;
    if (end < start) return 0;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) >> 16) == (size_t)-1) return 0;
    top = end;
    struct head *head = (struct head *)start;
    head->class = class;
    head->back = 0;
    return head + 1;
}

void free(void *block) {
    if (!block) return;
    block = (char *)block - ((struct head *)block)[-1].back;
    uint32_t class = ((struct head *)block)[-1].class;
    if (class >= CLASSES) __builtin_trap();  // not ours, or overwritten
    *(void **)block = lists[class];
    lists[class] = block;
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    if (alignment <= HEAD) return (*out = malloc(size)) ? 0 : 12;
    if (alignment & (alignment - 1) || alignment > 65536) return 22;
    char *block = malloc(size + alignment);
    if (!block) return 12;
    char *aligned = (char *)(((uintptr_t)block + alignment - 1) & ~(uintptr_t)(alignment - 1));
    if (aligned != block) {
        uint32_t class = ((struct head *)block)[-1].class;
        ((struct head *)aligned)[-1].class = class;
        ((struct head *)aligned)[-1].back = (uint32_t)(aligned - block);
    }
    return *out = aligned, 0;
}

void *aligned_alloc(size_t alignment, size_t size) {
    void *block = 0;
    return posix_memalign(&block, alignment, size) ? 0 : block;
}

void *memset(void *to, int octet, size_t count);
void *memcpy(void *restrict to, const void *restrict from, size_t count);

void *calloc(size_t count, size_t size) {
    size_t octets;
    if (__builtin_mul_overflow(count, size, &octets)) return 0;
    void *block = malloc(octets);
    return block ? memset(block, 0, octets) : 0;
}

void *realloc(void *block, size_t size) {
    if (!block) return malloc(size);
    struct head *head = (struct head *)block - 1;
    size_t room = class_size(head->class) - HEAD - head->back;
    if (size <= room) return block;
    void *larger = malloc(size);
    if (!larger) return 0;
    memcpy(larger, block, room);
    free(block);
    return larger;
}

// With -mbulk-memory the first three become memory.copy and memory.fill.
void *memcpy(void *restrict to, const void *restrict from, size_t count) { return __builtin_memcpy(to, from, count), to; }
void *memmove(void *to, const void *from, size_t count) { return __builtin_memmove(to, from, count), to; }
void *memset(void *to, int octet, size_t count) { return __builtin_memset(to, octet, count), to; }
int memcmp(const void *left, const void *right, size_t count) {
    const unsigned char *a = left, *b = right;
    for (; count; count--, a++, b++) if (*a != *b) return *a - *b;
    return 0;
}
size_t strlen(const char *text) {
    size_t count = 0;
    while (text[count]) count++;
    return count;
}

// What Swift's print() would write goes nowhere: writing to the log is a capability (see the SDK's log function).
int putchar(int octet) { return octet; }

// Swift seeds its hash tables with this. Always the same: a call and its repetition must come to the same result.
void arc4random_buf(void *to, size_t count) {
    static uint64_t state = 0x9E3779B97F4A7C15u;
    for (unsigned char *octet = to; count; count--) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        *octet++ = (unsigned char)state;
    }
}

// The host copies events and answers of its functions into blocks from here.
__attribute__((export_name("alloc"), used)) void *wsemail_alloc(size_t size) { return malloc(size); }
__attribute__((export_name("dealloc"), used)) void wsemail_dealloc(void *block) { free(block); }

// Products of 128 bits: the compiler calls it for checked 64-bit multiplication. Written in halves, so that it does
// not call itself.
__int128 __multi3(__int128 left, __int128 right) {
    uint64_t al = (uint64_t)left, bl = (uint64_t)right, ah = (uint64_t)((unsigned __int128)left >> 64);
    uint64_t bh = (uint64_t)((unsigned __int128)right >> 64), a0 = (uint32_t)al, a1 = al >> 32, b0 = (uint32_t)bl, b1 = bl >> 32;
    uint64_t low = a0 * b0, one = a1 * b0, two = a0 * b1, middle = (low >> 32) + (uint32_t)one + (uint32_t)two;
    uint64_t high = a1 * b1 + (one >> 32) + (two >> 32) + (middle >> 32) + ah * bl + al * bh;
    return (__int128)((unsigned __int128)high << 64 | ((low & 0xffffffffu) | middle << 32));
}
