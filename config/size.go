package config

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Size is a number of bytes. In text it may have a suffix K, M, G or T (powers of 1024), optionally followed by iB or B.
type Size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	t := strings.ToUpper(strings.TrimSpace(string(text)))
	t = strings.TrimSuffix(strings.TrimSuffix(t, "B"), "I")
	shift := 0
	if n := len(t); n > 0 {
		if i := strings.IndexByte("KMGT", t[n-1]); i >= 0 {
			shift = 10 * (i + 1)
			t = strings.TrimSpace(t[:n-1])
		}
	}
	v, err := strconv.ParseInt(t, 10, 64)
	if err != nil || v < 0 || v > 1<<62>>shift {
		return fmt.Errorf("%q is not a size: write bytes, or a number with K, M, G or T", text)
	}
	*s = Size(v << shift)
	return nil
}

// String writes the size with the largest suffix that leaves a whole number.
func (s Size) String() string {
	for i, suffix := range []string{"T", "G", "M", "K"} {
		unit := Size(1) << (10 * (4 - i))
		if s != 0 && s%unit == 0 {
			return strconv.FormatInt(int64(s/unit), 10) + suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

func joinHostPort(host string, port int) string {
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(port))
}
