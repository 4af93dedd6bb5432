package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flagside/flagside/bench/propagation/fan"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/natsserver"
)

// leafEnvironment is the environment that leaf nodes serve. It is named, because only those of users can be created on a server of its own.
const leafEnvironment = "leaves"

// throughLeaves divides followers among more and more leaf nodes, each time of a hub of its own. Publisher, hub and leaf nodes are processes.
func (b *bench) throughLeaves(ctx context.Context) error {
	counts, err := numbers("--leaves", b.leaves, 0)
	if err != nil {
		return err
	}
	fmt.Printf("%6s %9s %8s %8s %8s   %12s %12s %12s   %10s %10s %10s\n", "leaves", "followers", "p50 ms", "p99 ms", "max ms",
		"publisher us", "hub us", "leaf us", "hub rest", "leaf rest", "leaf MB")
	var results []figures.Figure
	for _, count := range counts {
		m, err := b.divided(ctx, count)
		if err != nil {
			return fmt.Errorf("%d leaf nodes: %w", count, err)
		}
		hub, leaves := m.Others[0], sum(m.Others[1:])
		fmt.Printf("%6d %9d %8.1f %8.1f %8.1f   %12.0f %12.0f %12.0f   %10.0f %10.0f %10.1f\n", count, b.leafFollowers,
			m.Times.Milliseconds(50), m.Times.Milliseconds(99), m.Times.Milliseconds(100),
			m.Publisher.Change, hub.Change, leaves.Change, hub.Rest, leaves.Rest, float64(leaves.Resident)/1e6)
		results = append(results,
			figures.Figure{Name: fmt.Sprintf("leaves%d_p50_ms", count), Value: m.Times.Milliseconds(50)},
			figures.Figure{Name: fmt.Sprintf("leaves%d_hub_us", count), Value: hub.Change},
			figures.Figure{Name: fmt.Sprintf("leaves%d_leaf_us", count), Value: leaves.Change},
		)
	}
	figures.Print(results...)
	return nil
}

func sum(all []fan.Use) (s fan.Use) {
	for _, u := range all {
		s.All, s.Change, s.Rest = s.All+u.All, s.Change+u.Change, s.Rest+u.Rest
		s.Resident, s.Grown = s.Resident+u.Resident, s.Grown+u.Grown
	}
	return s
}

// divided measures with so many leaf nodes, without any if it is 0.
func (b *bench) divided(ctx context.Context, count int) (fan.Measured, error) {
	dir := filepath.Join(b.Dir, fmt.Sprint("leaves-", count))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fan.Measured{}, err
	}
	users, err := newLeafUsers(dir)
	if err != nil {
		return fan.Measured{}, err
	}
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return fan.Measured{}, err
	}
	servers, err := process.StartServer(ctx, dir, append(users.config, process.LeafListener(addresses[1])...)...)
	defer servers.Kill()
	if err != nil {
		return fan.Measured{}, err
	}
	hub := servers.Nodes[0]
	p, err := b.StartPublisherWith(ctx, addresses[0], hub.Client, "--nats", "nats://"+hub.Client, "--nats-nkey", users.publisher, "--replicas", "1")
	if p != nil {
		defer p.Kill()
	}
	if err != nil {
		return fan.Measured{}, err
	}
	o := fan.Options{Size: b.leafFollowers, Changes: b.fanChanges, Others: []*process.Process{hub.Process}}
	if count == 0 {
		o.NKey = users.sidecar
	}
	for i := range count {
		leaf, err := hub.StartLeaf(ctx, dir, fmt.Sprint("leaf-", i+1), addresses[1], users.seed)
		if leaf != nil && leaf.Process != nil {
			defer leaf.Kill()
		}
		if err != nil {
			return fan.Measured{}, err
		}
		o.NATS, o.Others = append(o.NATS, leaf.Client), append(o.Others, leaf.Process)
	}
	return fan.Measure(ctx, b.Binaries, p, leafEnvironment, o)
}

// leafUsers are the users of a hub.
type leafUsers struct {
	config             []byte // of the server
	publisher, sidecar string // files with seeds
	seed               string // of the sidecar
}

func newLeafUsers(dir string) (u leafUsers, err error) {
	publisher, publisherSeed, err := natsserver.NewUser(natsserver.User{Name: "publisher", Role: natsserver.RolePublisher})
	if err != nil {
		return u, err
	}
	sidecar, seed, err := natsserver.NewUser(natsserver.User{Name: "sidecar", Role: natsserver.RoleSidecar, Environments: []string{leafEnvironment}})
	if err != nil {
		return u, err
	}
	u = leafUsers{publisher: filepath.Join(dir, "publisher.nk"), sidecar: filepath.Join(dir, "sidecar.nk"), seed: string(seed)}
	u.config, err = natsserver.ServerConfig([]natsserver.User{publisher, sidecar})
	return u, errors.Join(err, os.WriteFile(u.publisher, publisherSeed, 0o600), os.WriteFile(u.sidecar, seed, 0o600))
}
