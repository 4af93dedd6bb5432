package publisher

import "context"

// CheckStreams does now what is done once a minute.
func (p *Publisher) CheckStreams(ctx context.Context) { p.streams.check(ctx) }
