package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"

	"github.com/flagside/flagside/internal/publisher/admin"
)

// pageSize is how many items are asked for at once.
const pageSize = "1000"

// page is a part of a list.
type page struct {
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"next"`
}

// printAll asks for a list part by part, of which each begins after the last, and prints it as one.
func (s *session) printAll(ctx context.Context, c admin.Call, after string, table func(io.Writer, any) error) error {
	all, err := s.all(ctx, c, after)
	if err != nil {
		return err
	}
	return s.printItems(all, table)
}

// printItems prints the items of a list.
func (s *session) printItems(all []json.RawMessage, table func(io.Writer, any) error) error {
	body, err := json.Marshal(struct {
		Items []json.RawMessage `json:"items"`
	}{all})
	if err != nil {
		return fmt.Errorf("the publisher's answer: %w", err)
	}
	return s.print(body, table)
}

func (s *session) all(ctx context.Context, c admin.Call, after string) ([]json.RawMessage, error) {
	query := url.Values{"limit": {pageSize}}
	maps.Copy(query, c.Query)
	all := []json.RawMessage{}
	for {
		c.Query = query
		found, err := s.do(ctx, c)
		if err != nil {
			return nil, err
		}
		var p page
		if err := json.Unmarshal(found.Body, &p); err != nil {
			return nil, fmt.Errorf("the publisher's answer: %w", err)
		}
		all = append(all, p.Items...)
		if p.Next == "" || p.Next == query.Get(after) {
			return all, nil
		}
		query.Set(after, p.Next)
	}
}
