package message

import (
	"net/netip"
	"strings"
	"testing"
)

func TestSplitAuthority(t *testing.T) {
	for _, c := range []struct {
		in, host, port string
		ok             bool
	}{
		{"a", "a", "", true},
		{"a.example:80", "a.example", "80", true},
		{"a:", "a", "", true},
		{"A-b_c~1.", "A-b_c~1.", "", true},
		{"[::1]:8080", "[::1]", "8080", true},
		{"[::]", "[::]", "", true},
		{"127.0.0.1:65535", "127.0.0.1", "65535", true},
		{"", "", "", false},
		{":80", "", "", false},
		{"a:65536", "", "", false},
		{"a:99999999999999999999999999", "", "", false},
		{"a:-1", "", "", false},
		{"a:8a", "", "", false},
		{"a:80:80", "", "", false},
		{"a/b", "", "", false},
		{"a?b", "", "", false},
		{"a#b", "", "", false},
		{"u@a", "", "", false},
		{"a b", "", "", false},
		{"a%20b", "", "", false},
		{"a,b", "", "", false},
		{"a\\b", "", "", false},
		{"a\x00", "", "", false},
		{"é", "", "", false},
		{"[::1", "", "", false},
		{"[::1]x", "", "", false},
		{"[]", "", "", false},
		{"[a]", "", "", false},
		{"[v1.x]", "", "", false},
		{"[fe80::1%25a]", "", "", false},
		{"[[::1]]", "", "", false},
		{"::1", "", "", false},
	} {
		host, port, ok := SplitAuthority([]byte(c.in))
		if string(host) != c.host || string(port) != c.port || ok != c.ok {
			t.Errorf("%q: %q, %q, %v", c.in, host, port, ok)
		}
	}
}

// FuzzIPv6 holds the check of IP literals against package netip.
func FuzzIPv6(f *testing.F) {
	for _, s := range []string{
		"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8", "1:2:3:4:5:6:7:8::",
		"::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4", "::1.2.3", "::01.2.3.4", "::256.1.1.1",
		":::", ":1", "1:", "1::2::3", "12345::", "::g", "::1.2.3.4:5", "::.1", "::1.2.3.4.5",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := netip.ParseAddr(s)
		want := err == nil && addr.Is6() && !strings.Contains(s, "%")
		if got := validIPv6([]byte(s)); got != want {
			t.Fatalf("%q: %v, want %v", s, got, want)
		}
	})
}
