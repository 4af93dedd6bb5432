package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// socketMode is how a provider of flagd's RPC is called that asks over a Unix socket.
const socketMode = "socket"

// address returns what a driver is given: the way to evaluate, and where the sidecar answers for it.
func (s *system) address(mode string) (resolver, address string) {
	switch mode {
	case "ofrep":
		return mode, s.ofrep
	case "rpc":
		return mode, s.flagd
	case socketMode:
		return "rpc", "unix:" + s.socket
	default:
		return mode, s.flagdSync
	}
}

// openProcess runs a driver as a process: the command, the way to evaluate, and the address.
func openProcess(mode string, command ...string) func(context.Context, *system) (Driver, error) {
	return func(ctx context.Context, s *system) (Driver, error) {
		resolver, address := s.address(mode)
		arguments := append(command[1:len(command):len(command)], resolver, address)
		d, err := runProcess(exec.Command(command[0], arguments...)) // #nosec G204 -- the drivers are ours
		if err != nil {
			return nil, err
		}
		return d, d.awaitStart(ctx)
	}
}

// runProcess connects a driver with the standard input and output of its process.
func runProcess(process *exec.Cmd) (*script, error) {
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if os.Getenv("FLAGSIDE_CLIENT_LOGS") != "" { // SDKs write a lot while a sidecar is away
		process.Stderr = os.Stderr
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("start a driver: %w", err)
	}
	d := newScript()
	d.stop = sync.OnceFunc(func() {
		_ = process.Process.Kill()
		<-d.ended
	})
	go func() {
		defer close(d.ended)
		d.read(bufio.NewReader(out))
		_ = process.Wait() // its end is what matters, not how
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

// read takes the reports. Lines that are no objects are words of the SDK.
func (s *script) read(out *bufio.Reader) {
	for {
		line, err := out.ReadString('\n')
		if strings.HasPrefix(line, "{") {
			if err := s.take([]byte(line)); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
		if err != nil {
			return
		}
	}
}
