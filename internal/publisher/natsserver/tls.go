package natsserver

import (
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/listen"
)

// tlsTimeout is how many seconds a client has for the handshake.
const tlsTimeout = 5

// validateReach reports why the server must not listen where it is asked to: beyond loopback it has to know its clients, and they it.
func (o Options) validateReach() error {
	if (o.CertificateFile == "") != (o.KeyFile == "") {
		return errors.New("the NATS server's certificate and its key belong together: give both or neither")
	}
	if o.ClientCAFile != "" && o.CertificateFile == "" {
		return errors.New("the NATS server asks for client certificates but has none itself: give its certificate and key too")
	}
	err := config.LoopbackOnly(o.Addr)
	if err == nil || o.hasUsers() && o.CertificateFile != "" {
		return nil
	}
	return fmt.Errorf("%w, or give it users (flagside credentials add makes them) and a certificate with its key", err)
}

// hasUsers reports whether there is a file of users, or has to be.
func (o Options) hasUsers() bool {
	if o.UsersFile == "" || !o.UsersOptional {
		return o.UsersFile != ""
	}
	_, err := os.Stat(o.UsersFile)
	return err == nil
}

// encrypt makes the server speak TLS, with the newest files that can be used.
// Clients in this process need none.
func (o Options) encrypt(opts *server.Options) error {
	if o.CertificateFile == "" {
		return nil
	}
	files := listen.TLS{Certificate: o.CertificateFile, Key: o.KeyFile, ClientCA: o.ClientCAFile}
	config, err := files.Config(nil, o.Logger)
	if err != nil {
		return err
	}
	opts.TLSConfig, opts.TLSTimeout, opts.TLSVerify = config, tlsTimeout, o.ClientCAFile != ""
	opts.TLS = true
	return nil
}
