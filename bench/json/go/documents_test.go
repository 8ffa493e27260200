package json_test

import (
	stdjson "encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type small struct {
	ID     int     `json:"id"`
	Name   string  `json:"name"`
	Email  string  `json:"email"`
	Age    int     `json:"age"`
	Active bool    `json:"active"`
	Score  float64 `json:"score"`
}

type item struct {
	ID       int      `json:"id"`
	Name     string   `json:"name"`
	Category string   `json:"category"`
	Price    int      `json:"price"`
	Quantity int      `json:"quantity"`
	Active   bool     `json:"active"`
	Tags     []string `json:"tags"`
	Rating   struct {
		Score int `json:"score"`
		Count int `json:"count"`
	} `json:"rating"`
	Total int `json:"total"`
}

type items struct {
	Items []item `json:"items"`
	Count int    `json:"count"`
}

type user struct {
	ID             int64   `json:"id"`
	IDStr          string  `json:"id_str"`
	Name           string  `json:"name"`
	ScreenName     string  `json:"screen_name"`
	Location       string  `json:"location"`
	Description    string  `json:"description"`
	URL            *string `json:"url"`
	Protected      bool    `json:"protected"`
	FollowersCount int     `json:"followers_count"`
	FriendsCount   int     `json:"friends_count"`
	CreatedAt      string  `json:"created_at"`
	UTCOffset      *int    `json:"utc_offset"`
	TimeZone       *string `json:"time_zone"`
	GeoEnabled     bool    `json:"geo_enabled"`
	Verified       bool    `json:"verified"`
	StatusesCount  int     `json:"statuses_count"`
	Lang           string  `json:"lang"`
	ImageURL       string  `json:"profile_image_url"`
	ImageURLHTTPS  string  `json:"profile_image_url_https"`
	BackgroundURL  string  `json:"profile_background_image_url"`
}

type status struct {
	Metadata struct {
		ResultType string `json:"result_type"`
		Language   string `json:"iso_language_code"`
	} `json:"metadata"`
	CreatedAt     string  `json:"created_at"`
	ID            int64   `json:"id"`
	IDStr         string  `json:"id_str"`
	Text          string  `json:"text"`
	Source        string  `json:"source"`
	Truncated     bool    `json:"truncated"`
	User          user    `json:"user"`
	Retweeted     *status `json:"retweeted_status,omitempty"`
	RetweetCount  int     `json:"retweet_count"`
	FavoriteCount int     `json:"favorite_count"`
	Entities      struct {
		Hashtags []struct {
			Text    string `json:"text"`
			Indices []int  `json:"indices"`
		} `json:"hashtags"`
	} `json:"entities"`
	Lang string `json:"lang"`
}

type twitter struct {
	Statuses []status `json:"statuses"`
}

type canada struct {
	Type     string `json:"type"`
	Features []struct {
		Type     string `json:"type"`
		Geometry struct {
			Type        string         `json:"type"`
			Coordinates [][][2]float64 `json:"coordinates"`
		} `json:"geometry"`
	} `json:"features"`
}

// document is a text and a maker of the value to decode it to.
type document struct {
	name string
	text []byte
	make func() any
}

// documents reads what corpora.py wrote to the directory in COVET_JSON_CORPUS.
func documents(tb testing.TB) []document {
	tb.Helper()
	dir := os.Getenv("COVET_JSON_CORPUS")
	if dir == "" {
		tb.Fatal("COVET_JSON_CORPUS is not set: see make bench-json")
	}
	list := []document{
		{name: "small", make: func() any { return new(small) }},
		{name: "items5", make: func() any { return new(items) }},
		{name: "items50", make: func() any { return new(items) }},
		{name: "twitter10k", make: func() any { return new(twitter) }},
		{name: "twitter", make: func() any { return new(twitter) }},
		{name: "canada", make: func() any { return new(canada) }},
		{name: "prices", make: func() any { return new([]float64) }},
		{name: "escapes", make: func() any { return new([]string) }},
		{name: "ascii64k", make: func() any { return new(string) }},
		{name: "items50 as any", make: func() any { return new(any) }},
	}
	for i := range list {
		file, _, _ := strings.Cut(list[i].name, " ")
		b, err := os.ReadFile(filepath.Join(dir, file+".json")) //nolint:gosec // the directory is the caller's
		if err != nil {
			tb.Fatal(err)
		}
		list[i].text = b
	}
	return list
}

func BenchmarkEncode(b *testing.B) {
	for _, d := range documents(b) {
		v := d.make()
		if err := stdjson.Unmarshal(d.text, v); err != nil {
			b.Fatal(err)
		}
		for _, c := range codecs() {
			b.Run(d.name+"/"+c.name, func(b *testing.B) {
				dst, err := c.append(nil, v)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(dst)))
				b.ReportAllocs()
				for b.Loop() {
					if dst, err = c.append(dst, v); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, d := range documents(b) {
		for _, c := range codecs() {
			b.Run(d.name+"/"+c.name, func(b *testing.B) {
				b.SetBytes(int64(len(d.text)))
				b.ReportAllocs()
				for b.Loop() {
					if err := c.decode(d.text, d.make()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
