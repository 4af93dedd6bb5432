package process

import (
	"context"
	"fmt"
	"time"
)

// Finish waits for the end of a process that ends by itself. An error has what it printed; when ctx ends before, the process is killed.
func (p *Process) Finish(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		p.Kill()
		return fmt.Errorf("%s: %w", p.Name, context.Cause(ctx))
	}
	if p.err != nil {
		return fmt.Errorf("%s: %w\n%s", p.Name, p.err, p.Output())
	}
	return nil
}

// Used returns the processor time that a process has used that has ended.
func (p *Process) Used() time.Duration {
	<-p.done
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// Run runs the command line against the publisher, as a person would, and returns how it ended.
func (p *Publisher) Run(ctx context.Context, b Binaries, args ...string) (*Process, error) {
	command, err := Start(b.Flagside, append(args, "--admin", "http://"+p.Admin, "--token-file", p.TokenFile)...)
	if err != nil {
		return nil, err
	}
	return command, command.Finish(ctx)
}
