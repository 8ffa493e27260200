package h1

import "time"

// AppendDate appends t as an IMF-fixdate (RFC 9110 section 5.6.7), 29 bytes for the years 0 to 9999:
//
//	Sun, 06 Nov 1994 08:49:37 GMT
func AppendDate(dst []byte, t time.Time) []byte {
	const days = "SunMonTueWedThuFriSat"
	const months = "JanFebMarAprMayJunJulAugSepOctNovDec"
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	d, m := 3*int(t.Weekday()), 3*int(month-1)
	dst = append(dst, days[d:d+3]...)
	dst = append(dst, ',', ' ', digit(day/10), digit(day), ' ')
	dst = append(dst, months[m:m+3]...)
	return append(dst, ' ', digit(year/1000), digit(year/100), digit(year/10), digit(year), ' ',
		digit(hour/10), digit(hour), ':', digit(minute/10), digit(minute), ':', digit(second/10), digit(second),
		' ', 'G', 'M', 'T')
}

// digit returns the last decimal digit of n.
func digit(n int) byte { return byte('0' + n%10) }
