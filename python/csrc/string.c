/* JSON strings: UTF-8, escaping only what RFC 8259 section 7 demands. */
#include "bridge.h"

#include "block.h"

/* An escape is at most \u001f: six bytes for one. */
#define ESCAPE 6

typedef struct {
    uint8_t text[7], length;
} Escape;

#define U(c, high, low) [c] = {{'\\', 'u', '0', '0', high, low}, 6}
#define S(c, short) [c] = {{'\\', short}, 2}
static const Escape escapes['\\' + 1] = {
    U(0x00, '0', '0'), U(0x01, '0', '1'), U(0x02, '0', '2'), U(0x03, '0', '3'), U(0x04, '0', '4'), U(0x05, '0', '5'),
    U(0x06, '0', '6'), U(0x07, '0', '7'), S('\b', 'b'), S('\t', 't'), S('\n', 'n'), U(0x0b, '0', 'b'),
    S('\f', 'f'), S('\r', 'r'), U(0x0e, '0', 'e'), U(0x0f, '0', 'f'), U(0x10, '1', '0'), U(0x11, '1', '1'),
    U(0x12, '1', '2'), U(0x13, '1', '3'), U(0x14, '1', '4'), U(0x15, '1', '5'), U(0x16, '1', '6'), U(0x17, '1', '7'),
    U(0x18, '1', '8'), U(0x19, '1', '9'), U(0x1a, '1', 'a'), U(0x1b, '1', 'b'), U(0x1c, '1', 'c'), U(0x1d, '1', 'd'),
    U(0x1e, '1', 'e'), U(0x1f, '1', 'f'), S('"', '"'), S('\\', '\\'),
};
#undef U
#undef S

static inline bool special(uint32_t c) { return c < 0x20 || c == '"' || c == '\\'; }

/* Eight bytes of room, of which as many count as the escape has. */
static inline uint8_t *escape(uint8_t *p, uint8_t c)
{
    memcpy(p, &escapes[c], 8);
    return p + escapes[c].length;
}

/* n bytes one by one; room for ESCAPE * n + 8. */
static uint8_t *write_each(uint8_t *p, const uint8_t *s, size_t n)
{
    for (; n > 0; n--, s++) {
        if (special(*s))
            p = escape(p, *s);
        else
            *p++ = *s;
    }
    return p;
}

/* Copies n < 16 bytes that are not special, without a loop: two pieces that overlap. */
static inline uint8_t *copy_few(uint8_t *p, const uint8_t *s, size_t n)
{
    if (n >= 8) {
        memcpy(p, s, 8);
        memcpy(p + n - 8, s + n - 8, 8);
    }
    else if (n >= 4) {
        memcpy(p, s, 4);
        memcpy(p + n - 4, s + n - 4, 4);
    }
    else if (n > 0) {
        p[0] = s[0];
        p[n / 2] = s[n / 2];
        p[n - 1] = s[n - 1];
    }
    return p + n;
}

/* Whether any of n < 16 bytes is special. */
static inline bool few_special(const uint8_t *s, size_t n)
{
    uint64_t a, b;
    if (n >= 8) {
        memcpy(&a, s, 8);
        memcpy(&b, s + n - 8, 8);
        return (word_special(a) | word_special(b)) != 0;
    }
    if (n >= 4) {
        uint32_t x, y;
        memcpy(&x, s, 4);
        memcpy(&y, s + n - 4, 4);
        return word_special((uint64_t)x << 32 | y) != 0;
    }
    return n > 0 && (special(s[0]) || special(s[n / 2]) || special(s[n - 1]));
}

/* n bytes of ASCII or of UTF-8. There is room for n and what follows; escapes make more. */
static inline uint8_t *write_bytes(Out *out, uint8_t *p, const uint8_t *s, size_t n)
{
    if (n < BLOCK) {
        if (__builtin_expect(!few_special(s, n), 1))
            return copy_few(p, s, n);
        p = out_room(out, p, ESCAPE * n + 8 + OUT_SLACK);
        return p == NULL ? NULL : write_each(p, s, n);
    }
    const uint8_t *end = s + n;
    for (; end - s >= BLOCK; s += BLOCK) {
        Block b = block_load(s);
        uint64_t mask = block_special(b);
        if (__builtin_expect(mask == 0, 1)) {
            block_store(p, b);
            p += BLOCK;
            continue;
        }
        p = out_room(out, p, (size_t)(end - s) + ESCAPE * BLOCK + BLOCK + OUT_SLACK);
        if (p == NULL)
            return NULL;
        if (end - s < 2 * BLOCK) {
            p = write_each(p, s, BLOCK);
            continue;
        }
        /* Whole blocks are copied, though only what is before the next special byte counts: there is a block behind. */
        size_t at = 0;
        do {
            size_t next = (size_t)__builtin_ctzll(mask) / BLOCK_BITS;
            block_store(p, block_load(s + at));
            p = escape(p + (next - at), s[next]);
            at = next + 1;
            mask &= mask - 1;
        } while (mask != 0);
        block_store(p, block_load(s + at));
        p += BLOCK - at;
    }
    size_t rest = (size_t)(end - s);
    if (rest == 0)
        return p;
    /* What is left is asked about together with bytes that are done already. */
    if (__builtin_expect(block_special(block_load(end - BLOCK)) >> BLOCK_BITS * (BLOCK - rest), 0) == 0)
        return copy_few(p, s, rest);
    p = out_room(out, p, ESCAPE * rest + 8 + OUT_SLACK);
    return p == NULL ? NULL : write_each(p, s, rest);
}

/* The UTF-8 of a character that is no surrogate; four bytes of room. */
static inline uint8_t *put_utf8(uint8_t *p, Py_UCS4 c)
{
    if (c < 0x800) {
        p[0] = (uint8_t)(0xc0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 0x3f));
        return p + 2;
    }
    if (c < 0x10000) {
        p[0] = (uint8_t)(0xe0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        p[2] = (uint8_t)(0x80 | (c & 0x3f));
        return p + 3;
    }
    p[0] = (uint8_t)(0xf0 | c >> 18);
    p[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
    p[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
    p[3] = (uint8_t)(0x80 | (c & 0x3f));
    return p + 4;
}

static inline uint8_t *put_char(uint8_t *p, Py_UCS4 c)
{
    if (c < 0x80) {
        if (special(c))
            return escape(p, (uint8_t)c);
        *p = (uint8_t)c;
        return p + 1;
    }
    if (c >= 0xd800 && c <= 0xdfff)
        return NULL;
    return put_utf8(p, c);
}

#if defined(__x86_64__) && defined(__GNUC__)
#include <tmmintrin.h>

/* Sixteen-bit characters from 0x800 on, eight at a time: three bytes each. Gives how many were written: it stops before
 * eight of which one is below, or is a surrogate. 3 * n + 8 bytes of room. */
__attribute__((target("ssse3"))) static size_t write_threes(uint8_t *p, const uint16_t *s, size_t n)
{
    const __m128i gather = _mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    const __m128i six = _mm_set1_epi16(0x3f);
    size_t i = 0;
    for (; n - i >= 8; i += 8) {
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(s + i));
        __m128i top = _mm_and_si128(c, _mm_set1_epi16((short)0xf800));
        __m128i bad = _mm_or_si128(_mm_cmpeq_epi16(top, _mm_setzero_si128()), _mm_cmpeq_epi16(top, _mm_set1_epi16((short)0xd800)));
        if (_mm_movemask_epi8(bad) != 0)
            break;
        /* 1110aaaa 10bbbbbb | 10cccccc 0 of each character: two halves, whose zeros are then left out. */
        __m128i first = _mm_or_si128(_mm_srli_epi16(c, 12), _mm_slli_epi16(_mm_and_si128(_mm_srli_epi16(c, 6), six), 8));
        first = _mm_or_si128(first, _mm_set1_epi16((short)0x80e0));
        __m128i second = _mm_or_si128(_mm_and_si128(c, six), _mm_set1_epi16(0x80));
        _mm_storeu_si128((__m128i *)(void *)p, _mm_shuffle_epi8(_mm_unpacklo_epi16(first, second), gather));
        _mm_storeu_si128((__m128i *)(void *)(p + 12), _mm_shuffle_epi8(_mm_unpackhi_epi16(first, second), gather));
        p += 24;
    }
    return i;
}
static inline bool has_threes(void) { return __builtin_cpu_supports("ssse3"); }
#else
static size_t write_threes(uint8_t *p, const uint16_t *s, size_t n) { return 0; }
static inline bool has_threes(void) { return false; }
#endif

static uint8_t *surrogate(void)
{
    PyErr_SetString(PyExc_ValueError, "a lone surrogate has no UTF-8");
    return NULL;
}

/* Characters of one byte that are not all ASCII. */
static uint8_t *write_latin(Out *out, uint8_t *p, const uint8_t *s, size_t n)
{
    while (n > 0) {
        size_t some = n < BLOCK ? n : BLOCK;
        p = out_room(out, p, ESCAPE * BLOCK + 8 + OUT_SLACK);
        if (p == NULL)
            return NULL;
        if (some == BLOCK) {
            Block b = block_load(s);
            if (block_ascii(b) && block_special(b) == 0) {
                block_store(p, b);
                p += BLOCK;
                s += BLOCK;
                n -= BLOCK;
                continue;
            }
        }
        for (size_t i = 0; i < some; i++)
            p = put_char(p, s[i]);
        s += some;
        n -= some;
    }
    return p;
}

#define PIECE 64 /* characters between two looks at the room */

static uint8_t *write_two(Out *out, uint8_t *p, const uint16_t *s, size_t n)
{
    bool threes = has_threes();
    while (n > 0) {
        size_t some = n < PIECE ? n : PIECE;
        p = out_room(out, p, ESCAPE * PIECE + 8 + OUT_SLACK);
        if (p == NULL)
            return NULL;
        for (size_t i = 0; i < some;) {
            if (threes && some - i >= 8) {
                size_t done = write_threes(p, s + i, some - i);
                p += 3 * done;
                i += done;
            }
            /* The rest, or up to where it may be worth another try. */
            for (size_t stop = some - i < 8 ? some : i + 8; i < stop; i++) {
                p = put_char(p, s[i]);
                if (p == NULL)
                    return surrogate();
            }
        }
        s += some;
        n -= some;
    }
    return p;
}

static uint8_t *write_four(Out *out, uint8_t *p, const Py_UCS4 *s, size_t n)
{
    while (n > 0) {
        size_t some = n < PIECE ? n : PIECE;
        p = out_room(out, p, ESCAPE * PIECE + 8 + OUT_SLACK);
        if (p == NULL)
            return NULL;
        for (size_t i = 0; i < some; i++) {
            p = put_char(p, s[i]);
            if (p == NULL)
                return surrogate();
        }
        s += some;
        n -= some;
    }
    return p;
}

uint8_t *string_write(Out *out, uint8_t *p, PyObject *value)
{
    size_t n = (size_t)PyUnicode_GET_LENGTH(value);
    p = out_room(out, p, n + 2 + BLOCK + OUT_SLACK);
    if (p == NULL)
        return NULL;
    *p++ = '"';
    if (__builtin_expect(PyUnicode_IS_ASCII(value), 1))
        p = write_bytes(out, p, PyUnicode_1BYTE_DATA(value), n);
    else if (PyUnicode_KIND(value) == PyUnicode_1BYTE_KIND)
        p = write_latin(out, p, PyUnicode_1BYTE_DATA(value), n);
    else if (PyUnicode_KIND(value) == PyUnicode_2BYTE_KIND)
        p = write_two(out, p, PyUnicode_2BYTE_DATA(value), n);
    else
        p = write_four(out, p, PyUnicode_4BYTE_DATA(value), n);
    if (p == NULL)
        return NULL;
    *p++ = '"';
    return p;
}
