#include "key.h"

void key_keep(Keys *keys, PyObject *key, const uint8_t *text, size_t n)
{
    if (n > KEY_ROOM)
        return;
    /* The newer one stays, in the second place. */
    Key *place = key_pair(keys, key);
    if (place->key != NULL) {
        Py_XDECREF(place[1].key);
        place[1] = place[0];
        place->key = NULL;
    }
    memcpy(place->text, text, n);
    place->length = n;
    Py_XSETREF(place->key, Py_NewRef(key));
}

void keys_clear(Keys *keys)
{
    for (size_t i = 0; i < KEY_PLACES; i++)
        Py_CLEAR(keys->places[i].key);
}
