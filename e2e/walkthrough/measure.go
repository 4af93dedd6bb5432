package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

// measure changes flags of an environment that needs no approval, one after the other over one connection, and returns how long each
// change took: from the request to the answer that it is in the log, on disk.
func (w *walker) measure(ctx context.Context, count int) (figures.Durations, error) {
	if _, code, err := w.execute(ctx, step{who: "admin", line: "environment create staging"}); err != nil || code != 0 {
		return nil, fmt.Errorf("create staging: exit code %d: %w", code, err)
	}
	token, err := os.ReadFile(w.tokens["editor"])
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Options{Address: "http://" + w.admin, Token: strings.TrimSpace(string(token))})
	if err != nil {
		return nil, err
	}
	var all figures.Durations
	for i := range count {
		id := document.ID{Kind: document.KindFlag, Key: fmt.Sprintf("flag-%d", i)}
		begin := time.Now()
		if _, _, err := c.Put(ctx, "staging", id, []byte(checkout), client.Precondition{Absent: true}, api.ChangeHeaders{}); err != nil {
			return nil, err
		}
		all = append(all, time.Since(begin))
	}
	return all, nil
}
