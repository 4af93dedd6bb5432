package rate

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/publisher/api"
	"github.com/flagside/flagside/internal/publisher/client"
)

const doc = `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","targeting":` +
	`{"if":[{"in":[{"var":"country"},["DE","FR"]]},"on","off"]}}`

// create makes a flag that does not exist yet.
func create(ctx context.Context, c *client.Client, key string) error {
	id := document.ID{Kind: document.KindFlag, Key: key}
	_, _, err := c.Put(ctx, environment, id, []byte(doc), client.Precondition{Absent: true}, api.ChangeHeaders{})
	return err
}

// oneByOne returns how long each change took, from the request to the answer.
func oneByOne(ctx context.Context, c *client.Client, count int) (figures.Durations, error) {
	var all figures.Durations
	for i := range count {
		begin := time.Now()
		if err := create(ctx, c, fmt.Sprintf("single-%d", i)); err != nil {
			return nil, err
		}
		all = append(all, time.Since(begin))
	}
	return all, nil
}

// atOnce returns how many changes several writers make together, and how many a second. The name begins the keys of their flags.
func atOnce(ctx context.Context, c *client.Client, name string, writers int, duration time.Duration) (int64, float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var made atomic.Int64
	var failed atomic.Pointer[error]
	var running sync.WaitGroup
	begin := time.Now()
	for w := range writers {
		running.Go(func() {
			for i := 0; time.Since(begin) < duration && ctx.Err() == nil; i++ {
				if err := create(ctx, c, fmt.Sprintf("%s-%d-%d", name, w, i)); err != nil {
					failed.CompareAndSwap(nil, &err)
					cancel()
					return
				}
				made.Add(1)
			}
		})
	}
	running.Wait()
	took := time.Since(begin)
	if err := failed.Load(); err != nil {
		return 0, 0, *err
	}
	return made.Load(), float64(made.Load()) / took.Seconds(), nil
}
