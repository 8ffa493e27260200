package message

// SplitAuthority splits an authority (RFC 3986 section 3.2) of the form host or host:port, as the Host field,
// :authority and the absolute form carry it, and reports whether it is one. An IP literal keeps its brackets; port
// is nil when there is no colon, and may be empty.
//
// It is stricter than RFC 3986: no user information (RFC 9110 section 4.2.4), no empty host (section 4.2.1), no
// percent-encoding and none of the sub-delims in a name, because such a name exists in no zone and the bytes mean
// something to logs, shells and link builders; of the IP literals only IPv6 without a zone.
func SplitAuthority(b []byte) (host, port []byte, ok bool) {
	n := 0
	if len(b) > 0 && b[0] == '[' {
		for n < len(b) && b[n] != ']' {
			n++
		}
		if n == len(b) || !validIPv6(b[1:n]) {
			return nil, nil, false
		}
		n++
	} else {
		for n < len(b) && hostBytes[b[n]] {
			n++
		}
	}
	if n == 0 {
		return nil, nil, false
	}
	if n == len(b) {
		return b, nil, true
	}
	if b[n] != ':' {
		return nil, nil, false
	}
	port = b[n+1:]
	number := 0
	for _, c := range port {
		if c-'0' > 9 {
			return nil, nil, false
		}
		if number = number*10 + int(c-'0'); number > 65535 {
			return nil, nil, false
		}
	}
	return b[:n:n], port, true
}

// hostBytes marks what a host name may hold: unreserved of RFC 3986 section 2.3.
var hostBytes = func() (t [256]bool) {
	for c := '0'; c <= '9'; c++ {
		t[c] = true
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-0x20] = true, true
	}
	for _, c := range "-._~" {
		t[c] = true
	}
	return t
}()

// validIPv6 checks IPv6address of RFC 3986 section 3.2.2: eight groups of one to four hexadecimal digits, "::" at
// most once for one group or more, the last two groups possibly an IPv4 address.
func validIPv6(b []byte) bool {
	groups, compressed := 0, false
	for i := 0; i < len(b); {
		if b[i] == ':' {
			// Only "::" may stand where a group is expected.
			if compressed || i+1 == len(b) || b[i+1] != ':' {
				return false
			}
			compressed = true
			if i += 2; i == len(b) {
				break
			}
			continue
		}
		start := i
		for i < len(b) && unhex(b[i]) < 16 {
			i++
		}
		if i < len(b) && b[i] == '.' {
			if !validIPv4(b[start:]) {
				return false
			}
			groups += 2
			break
		}
		if n := i - start; n == 0 || n > 4 {
			return false
		}
		groups++
		if i == len(b) {
			break
		}
		if b[i] != ':' || i+1 == len(b) {
			return false
		}
		if b[i+1] != ':' {
			i++ // a single colon leads to the next group; of "::" both are left for the top of the loop
		}
	}
	if compressed {
		return groups <= 7
	}
	return groups == 8
}

// validIPv4 checks IPv4address of RFC 3986 section 3.2.2: four numbers up to 255 without leading zeros.
func validIPv4(b []byte) bool {
	numbers := 0
	for i := 0; ; i++ {
		start, n := i, 0
		for i < len(b) && b[i]-'0' < 10 && i-start < 3 {
			n = n*10 + int(b[i]-'0')
			i++
		}
		if i == start || n > 255 || (b[start] == '0' && i-start > 1) {
			return false
		}
		if numbers++; i == len(b) {
			return numbers == 4
		}
		if b[i] != '.' {
			return false
		}
	}
}
