// Package static provides files over HTTP: a directory, or a file system, as a part of an app's tree.
//
//	app.Mount("/assets", static.New(static.Config{Dir: "public"}))
//
// A [Site] answers GET and HEAD with entity tags, conditions and ranges (RFC 9110 sections 13 and 14), and with the
// siblings NAME.br, NAME.zst and NAME.gz to clients that accept them. What was asked for lately is kept: small files in
// memory, larger ones as open descriptors, and is looked at again at most once a second. A request for what is kept is
// answered on the loop, without a system call and without allocation; for anything else the file system is asked off
// the loop, by one goroutine for all requests of the same name.
//
// Names never lead out of the directory, not by way of symbolic links either, and never to anything but regular files
// and directories. Files should be replaced by renaming, not be written in place: a response that is being sent goes on
// with the file that it began with, and a file that becomes shorter meanwhile ends the connection.
package static
