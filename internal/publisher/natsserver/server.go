// Package natsserver runs the JetStream server that a publisher embeds.
package natsserver

import (
	"context"
	"errors"
	"net"

	"github.com/rs/zerolog"
)

// Options configure an embedded server.
type Options struct {
	StoreDir string // directory of the streams; required
	Addr     string // host:port on loopback; port 0 takes a free one
	Name     string // stable name of the server; "" is "flagside"
	Domain   string // JetStream domain; "" is none
	MaxStore int64  // bytes of all streams together; 0 is 64 GiB
	Logger   zerolog.Logger
}

// Server is an embedded JetStream server.
type Server struct{}

// New validates o.
func New(o Options) (*Server, error) { return nil, errors.ErrUnsupported }

// Run starts the server and, when ctx ends, shuts it down and waits for it.
func (s *Server) Run(ctx context.Context) error { return errors.ErrUnsupported }

// Ready waits until clients are served.
func (s *Server) Ready(ctx context.Context) error { return errors.ErrUnsupported }

// ClientURL returns the address for clients. It is known after Ready.
func (s *Server) ClientURL() string { return "" }

// InProcessConn returns a connection that needs no network.
func (s *Server) InProcessConn() (net.Conn, error) { return nil, errors.ErrUnsupported }
