/* Keys that were written before: names in source code are interned, one object for each, and come again and again. */
#ifndef COVET_KEY_H
#define COVET_KEY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* Two blocks of 16: the key, its two quotation marks and the colon. */
#define KEY_ROOM 32
/* In pairs: a key is in one of the two places that its address gives, so that two keys of one document that meet do
 * not drive each other out each time. A third one does. */
#define KEY_PLACES 256

/*  "name":  as it is written; length bytes of text count, all of it is copied. Under the GIL. */
typedef struct {
    PyObject *key; /* strong: so no other string can come to have its address */
    uint64_t length;
    uint8_t text[KEY_ROOM];
} Key;

typedef struct {
    Key places[KEY_PLACES];
} Keys;

/* The first of the pair; the second is behind it. */
static inline Key *key_pair(Keys *keys, PyObject *key)
{
    uintptr_t address = (uintptr_t)key;
    return &keys->places[(address >> 4 ^ address >> 11) % (KEY_PLACES / 2) * 2];
}

/* NULL: not remembered. */
static inline const Key *key_find(Keys *keys, PyObject *key)
{
    const Key *pair = key_pair(keys, key);
    return pair[0].key == key ? &pair[0] : pair[1].key == key ? &pair[1] : NULL;
}

/* Remembers what was written for an interned key, if it is short. */
void key_keep(Keys *keys, PyObject *key, const uint8_t *text, size_t n);
void keys_clear(Keys *keys);

#endif
