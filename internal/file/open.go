package file

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// ErrNotRegular is what Open and OpenIn return for what is there and is no regular file: a directory, a device, a FIFO
// or a socket.
var ErrNotRegular = errors.New("not a regular file")

// Open opens a regular file for reading, without waiting for anyone at the other end of a FIFO. The error is about
// the path like that of os.Open, or wraps ErrNotRegular.
func Open(name string) (*File, fs.FileInfo, error) {
	return openRegular(name, os.Stat, os.OpenFile)
}

// OpenIn is Open below root, and never leaves it.
func OpenIn(root *os.Root, name string) (*File, fs.FileInfo, error) {
	return openRegular(name, root.Stat, root.OpenFile)
}

func openRegular(
	name string, stat func(string) (fs.FileInfo, error), openFile func(string, int, fs.FileMode) (*os.File, error),
) (*File, fs.FileInfo, error) {
	// Looked at before it is opened: to open a device may do something.
	info, err := stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, info, fmt.Errorf("%s: %w", name, ErrNotRegular)
	}
	f, err := openFile(name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, nil, err
	}
	// Another file may have taken the name meanwhile.
	if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", name, ErrNotRegular)
	}
	if err != nil {
		_ = f.Close() // it was not even read
		return nil, info, err
	}
	return New(f), info, nil
}

// settled is the age from which the time of change tells two contents apart: file systems keep it in steps of up to
// some milliseconds, old ones of up to two seconds.
const settled = 2 * time.Second

// ETag makes an entity tag (RFC 9110 section 8.8.3) of a file's size and time of change, with mark as its last part.
// It is strong unless the file has been changed a moment before now: then it might change again without the time
// telling.
func ETag(info fs.FileInfo, now time.Time, mark string) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(info.ModTime().UnixNano()))
	binary.BigEndian.PutUint64(b[8:], uint64(info.Size()))
	tag := `"` + base64.RawURLEncoding.EncodeToString(b[:]) + mark + `"`
	if now.Sub(info.ModTime()) < settled {
		return "W/" + tag
	}
	return tag
}
