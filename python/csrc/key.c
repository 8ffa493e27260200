#include "key.h"

void key_keep(Keys *keys, PyObject *key, const uint8_t *text, size_t n)
{
    if (n > KEY_ROOM)
        return;
    Key *place = key_place(keys, key);
    memcpy(place->text, text, n);
    place->length = n;
    Py_XSETREF(place->key, Py_NewRef(key));
}

void keys_clear(Keys *keys)
{
    for (size_t i = 0; i < KEY_PLACES; i++)
        Py_CLEAR(keys->places[i].key);
}
