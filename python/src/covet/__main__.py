"""``python -m covet …`` is the command ``covet …`` with this interpreter for its workers."""

from covet._launch import main

if __name__ == "__main__":
    main()
