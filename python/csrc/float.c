/* float.__repr__, into memory: the shortest decimal that reads back as the same double, and of those the closest.
 *
 * After Raffaello Giulietti, "The Schubfach way to render doubles" (2021). In short: with the double c * 2**q and its
 * rounding interval from cl * 2**q to cr * 2**q, the greatest power of ten 10**k that is not wider than the interval
 * has one or two of its multiples there; 10**(k+1) has one or none. Scaling the three bounds by 10**-k, with one
 * product of 64 by 128 bits and a sticky bit for what lies below, is precise enough to choose among these four. */
#include "bridge.h"

#include <math.h>

#include "power_gen.h"

#define FRACTION_BITS 52
#define EXPONENT_BIAS 1075 /* of c as an integer: 1023 + 52 */

typedef unsigned __int128 u128;

/* floor(q * log10(2)) for |q| <= 1650, and floor(k * log2(10)) for |k| <= 1233. */
static inline int log10_of_2_to(int q) { return (q * 315653) >> 20; }
static inline int log2_of_10_to(int k) { return (k * 1741647) >> 19; }
/* floor(log10(3/4 * 2**q)): the interval of a power of two is that much narrower below. */
static inline int log10_of_3_4_of_2_to(int q) { return (q * 315653 - 131072) >> 20; }

/* A scaled bound, 192 bits without the lowest 64 of them once they have carried: bits above its integer part's end, and
 * below. The lowest 64 hold less than the error of the power, so what is below is sticky from 2 on. */
static inline uint64_t sticky(u128 x) { return (uint64_t)(x >> 64) | ((uint64_t)x > 1); }

typedef struct {
    uint64_t digits; /* at most 17, trailing zeros included */
    int exponent;    /* of ten, of the last digit */
} Decimal;

/* v: finite, not 0. The sign is not looked at. */
static Decimal shortest(uint64_t bits)
{
    uint64_t fraction = bits & (((uint64_t)1 << FRACTION_BITS) - 1), c = fraction;
    int q = (int)(bits >> FRACTION_BITS & 0x7ff), k;
    bool narrow = fraction == 0 && q > 1;
    if (q == 0)
        q = 1 - EXPONENT_BIAS;
    else {
        c |= (uint64_t)1 << FRACTION_BITS;
        q -= EXPONENT_BIAS;
    }
    /* The bounds belong to the interval when c is even: reading rounds halves to even. */
    uint64_t odd = c & 1;
    k = narrow ? log10_of_3_4_of_2_to(q) : log10_of_2_to(q);
    int h = q + log2_of_10_to(-k) + 1;
    uint64_t high = powers[-k - POWER_FIRST].high, low = powers[-k - POWER_FIRST].low;
    u128 power = (u128)high << 64 | low;
    /* 192 bits each, the lowest 64 of them apart. The bounds are half of the distance to the next double away, so what
     * is added and subtracted is the power, shifted: one multiplication is enough for the three. */
    uint64_t scaled = c << 2 << h;
    u128 product = (u128)scaled * low;
    u128 m = (u128)scaled * high + (uint64_t)(product >> 64);
    uint64_t m_low = (uint64_t)product;
    int up = h + 1, down = narrow ? h : h + 1;
    u128 r = m + (power >> (64 - up)) + __builtin_add_overflow(m_low, low << up, &(uint64_t){0});
    u128 l = m - (power >> (64 - down)) - __builtin_sub_overflow(m_low, low << down, &(uint64_t){0});
    uint64_t middle = sticky(m), lower = sticky(l) + odd, upper = sticky(r) - odd;
    /* The four candidates: multiples of 10**(k+1) around s, then of 10**k. Which one it is cannot be foretold, so all are
     * computed, without a branch. */
    uint64_t s = middle >> 2, shorter = s / 10 * 10;
    bool under10 = lower <= shorter * 4, over10 = shorter * 4 + 40 <= upper;
    bool under = lower <= s * 4, over = s * 4 + 4 <= upper;
    /* Both or neither: the closer one, and of two equally close ones the even one. */
    uint64_t half = s * 4 + 2;
    bool closer = (middle > half) | ((middle == half) & (s & 1));
    uint64_t longer = s + (under != over ? over : closer);
    return (Decimal){(s >= 10) & (under10 != over10) ? shorter + (over10 ? 10 : 0) : longer, k};
}

/* The eight digits of v < 10**8 as bytes 0 to 9, the first digit in the lowest byte: all halved at once, three times. */
static inline uint64_t eight(uint32_t v)
{
    uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32;
    uint64_t hundreds = (x * 10486 >> 20) & 0x7f0000007f;
    x = hundreds | (x - hundreds * 100) << 16;
    uint64_t tens = (x * 103 >> 10) & 0x000f000f000f000f;
    return tens | (x - tens * 10) << 8;
}

#define ZEROS 0x3030303030303030

static inline void put_sixteen(uint8_t *p, u128 digits)
{
    uint64_t first = (uint64_t)digits, second = (uint64_t)(digits >> 64);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    first = __builtin_bswap64(first);
    second = __builtin_bswap64(second);
#endif
    memcpy(p, &first, 8);
    memcpy(p + 8, &second, 8);
}

static const uint64_t tens[18] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
    10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
};

static int count_digits(uint64_t v)
{
    if (v >= tens[15]) /* all but subnormal numbers */
        return 16 + (v >= tens[16]);
    /* floor(log10(2) * bits), right or one too small. */
    int n = (64 - __builtin_clzll(v)) * 1233 >> 12;
    return n + (v >= tens[n]);
}

/* Prices, coordinates, percentages: six digits after the point at most, and 15 in all. A decimal of 15 digits is the only
 * one of 15 or fewer that reads back as its double (DBL_DIG), so if this one does, then without its trailing zeros it is
 * the shortest. A division of two integers that are exact rounds as reading does. NULL: v is not such a number. */
static inline uint8_t *write_short(uint8_t *p, double v)
{
    if (!(v < 1e9 && v >= 1e-4)) /* 1e9 * 1e6 has 15 digits; repr has an exponent below 1e-4 */
        return NULL;
    double scaled = v * 1e6;
    int64_t millionths = (int64_t)(scaled + 0.5);
    if ((double)millionths / 1e6 != v)
        return NULL;
    uint32_t whole = (uint32_t)(millionths / 1000000), part = (uint32_t)(millionths % 1000000);
    p = number_write(p, whole);
    *p++ = '.';
    uint64_t digits = eight(part * 100), text = digits | ZEROS;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    text = __builtin_bswap64(text);
#endif
    memcpy(p, &text, 8);
    return p + (digits == 0 ? 1 : 8 - (__builtin_clzll(digits) >> 3));
}

/* The caller has made room for FLOAT_ROOM bytes, not all of which are used. */
uint8_t *float_write(uint8_t *p, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, 8);
    *p = '-';
    p += bits >> 63;
    if ((bits << 1) == 0) {
        memcpy(p, "0.0", 3);
        return p + 3;
    }
    uint8_t *end = write_short(p, fabs(v));
    if (end != NULL)
        return end;
    Decimal d = shortest(bits & ~((uint64_t)1 << 63));
    int length = count_digits(d.digits);
    /* Scaled to 17 digits: the first one, and 16 as bytes, the first of them lowest. They stay in registers, because
     * reading from memory at another offset what was just written there stalls. */
    uint64_t scaled = d.digits * tens[17 - length], rest = scaled % tens[16];
    uint64_t high = eight((uint32_t)(rest / tens[8])), low = eight((uint32_t)(rest % tens[8]));
    int n = low != 0 ? 17 - (__builtin_clzll(low) >> 3) : high != 0 ? 9 - (__builtin_clzll(high) >> 3) : 1;
    uint8_t first = (uint8_t)('0' + scaled / tens[16]);
    u128 others = (u128)(low | ZEROS) << 64 | (high | ZEROS);
    /* The point stands before digit number `point`: 0.ddd for 0, d.dd for 1. */
    int point = length + d.exponent;
    if (point > 0 && point <= 16) {
        p[0] = first;
        put_sixteen(p + 1, others);
        p[point] = '.';
        put_sixteen(p + point + 1, others >> 8 * (point - 1));
        /* At least one digit stands after the point. */
        return p + (n <= point ? point + 1 : n) + 1;
    }
    if (point > -4 && point <= 0) {
        memcpy(p, "0.000", 5);
        p += 2 - point;
        p[0] = first;
        put_sixteen(p + 1, others);
        return p + n;
    }
    *p++ = first;
    if (n > 1) {
        *p = '.';
        put_sixteen(p + 1, others);
        p += n;
    }
    *p++ = 'e';
    int e = point - 1;
    *p++ = e < 0 ? '-' : '+';
    e = e < 0 ? -e : e;
    if (e >= 100)
        *p++ = (uint8_t)('0' + e / 100);
    *p++ = (uint8_t)('0' + e / 10 % 10);
    *p++ = (uint8_t)('0' + e % 10);
    return p;
}
