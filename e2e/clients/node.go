package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
)

// openNode runs the driver for Node.js as a process.
func openNode(scripts, mode string) func(context.Context, *system) (Driver, error) {
	return func(ctx context.Context, s *system) (Driver, error) {
		address := map[string]string{"ofrep": s.ofrep, "rpc": s.flagd, "in-process": s.flagdSync}[mode]
		// #nosec G204 -- the script is ours.
		node := exec.Command("node", filepath.Join(scripts, "node.mjs"), mode, strconv.Itoa(int(port(address))))
		d, err := runNode(node)
		if err != nil {
			return nil, err
		}
		return d, d.awaitStart(ctx)
	}
}

func runNode(node *exec.Cmd) (*script, error) {
	in, err := node.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := node.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := node.Start(); err != nil {
		return nil, fmt.Errorf("start Node.js: %w", err)
	}
	d := newScript()
	d.stop = sync.OnceFunc(func() {
		_ = node.Process.Kill()
		<-d.ended
	})
	go func() {
		defer close(d.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if err := d.take(lines.Bytes()); err != nil {
				fmt.Fprintln(os.Stderr, "Node.js:", err)
			}
		}
		_ = node.Wait() // its end is what matters, not how
	}()
	go func() {
		to := json.NewEncoder(in)
		for {
			select {
			case c := <-d.commands:
				_ = to.Encode(c) // fails when the process has ended, which is seen at its output
			case <-d.ended:
				return
			}
		}
	}()
	return d, nil
}
