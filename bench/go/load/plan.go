package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// ask is one request of the plan and the answer that counts.
type ask struct {
	// Head is the request as it is sent: the head, and a body that is short.
	Head []byte `json:"head"`
	// Fill is the length of a body that is sent after Head: bytes of no meaning.
	Fill int `json:"fill"`
	// Status is the only status that counts.
	Status int `json:"status"`
	// Body is the only body that counts, after chunks were joined; nil: any that is not empty.
	Body []byte `json:"body"`
	// Empty says that the body must have no bytes.
	Empty bool `json:"empty"`
	// Gzip says that Body is a gzip file, whose bytes 4 to 8 are the time at which it was made (RFC 1952 section 2.3.1).
	Gzip bool `json:"gzip"`
}

func readPlan(path string) ([]ask, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var asks []ask
	if err := json.Unmarshal(text, &asks); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(asks) == 0 {
		return nil, errors.New("the plan has no requests")
	}
	return asks, nil
}
