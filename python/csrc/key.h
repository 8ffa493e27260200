/* Keys that were written before: names in source code are interned, one object for each, and come again and again. */
#ifndef COVET_KEY_H
#define COVET_KEY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdint.h>
#include <string.h>

/* Two blocks of 16: the key, its two quotation marks and the colon. */
#define KEY_ROOM 32
/* Direct-mapped: keys that share a place take turns. */
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

static inline Key *key_place(Keys *keys, PyObject *key)
{
    uintptr_t address = (uintptr_t)key;
    return &keys->places[(address >> 4 ^ address >> 12) % KEY_PLACES];
}

/* Remembers what was written for an interned key, if it is short. */
void key_keep(Keys *keys, PyObject *key, const uint8_t *text, size_t n);
void keys_clear(Keys *keys);

#endif
