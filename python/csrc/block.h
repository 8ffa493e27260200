/* Sixteen bytes at a time: which of them JSON strings cannot hold as they are (RFC 8259 section 7: the quotation mark,
 * the backslash and what is below 0x20). SSE2 is part of x86-64, NEON of AArch64; elsewhere two words. */
#ifndef COVET_BLOCK_H
#define COVET_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 16

/* The same question for eight bytes in a word; not zero if any is special, without saying which. */
static inline uint64_t word_special(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101;
    /* Subtraction sets the high bit of a byte that was less; its borrow only reaches bytes above one that is special. */
    return ((x - ones * 0x20) | ((x ^ ones * '"') - ones) | ((x ^ ones * '\\') - ones)) & ~x & ones * 0x80;
}

#if defined(__SSE2__)
#include <emmintrin.h>

typedef __m128i Block;
#define BLOCK_BITS 1 /* of the mask, for each byte */

static inline Block block_load(const void *s) { return _mm_loadu_si128((const __m128i *)s); }
static inline void block_store(void *p, Block b) { _mm_storeu_si128((__m128i *)p, b); }
/* A bit for each special byte, the first lowest. */
static inline uint64_t block_special(Block b)
{
    __m128i marks = _mm_or_si128(_mm_cmpeq_epi8(b, _mm_set1_epi8('"')), _mm_cmpeq_epi8(b, _mm_set1_epi8('\\')));
    __m128i controls = _mm_cmpeq_epi8(_mm_min_epu8(b, _mm_set1_epi8(0x1f)), b);
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(marks, controls));
}
static inline bool block_ascii(Block b) { return _mm_movemask_epi8(b) == 0; }

#elif defined(__ARM_NEON) && defined(__aarch64__) && !defined(__ARM_BIG_ENDIAN)
#include <arm_neon.h>

typedef uint8x16_t Block;
#define BLOCK_BITS 4

static inline Block block_load(const void *s) { return vld1q_u8((const uint8_t *)s); }
static inline void block_store(void *p, Block b) { vst1q_u8((uint8_t *)p, b); }
static inline uint64_t block_special(Block b)
{
    uint8x16_t bad = vorrq_u8(vceqq_u8(b, vdupq_n_u8('"')), vceqq_u8(b, vdupq_n_u8('\\')));
    bad = vorrq_u8(bad, vcltq_u8(b, vdupq_n_u8(0x20)));
    /* There is no movemask: four bits of each byte, of which one is kept. */
    uint8x8_t nibbles = vshrn_n_u16(vreinterpretq_u16_u8(bad), 4);
    return vget_lane_u64(vreinterpret_u64_u8(nibbles), 0) & 0x1111111111111111;
}
static inline bool block_ascii(Block b) { return vmaxvq_u8(b) < 0x80; }

#else

typedef struct {
    uint64_t word[2];
} Block;
#define BLOCK_BITS 1

static inline Block block_load(const void *s)
{
    Block b;
    memcpy(&b, s, BLOCK);
    return b;
}
static inline void block_store(void *p, Block b) { memcpy(p, &b, BLOCK); }
static inline uint64_t block_special(Block b)
{
    if ((word_special(b.word[0]) | word_special(b.word[1])) == 0)
        return 0;
    uint8_t bytes[BLOCK];
    uint64_t mask = 0;
    memcpy(bytes, &b, BLOCK);
    for (int i = 0; i < BLOCK; i++)
        mask |= (uint64_t)(bytes[i] < 0x20 || bytes[i] == '"' || bytes[i] == '\\') << i;
    return mask;
}
static inline bool block_ascii(Block b) { return ((b.word[0] | b.word[1]) & 0x8080808080808080) == 0; }

#endif
#endif
