package jetstream

import (
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// secure returns what o says about who we are and whom we trust. All files are
// read again for every attempt to connect, so that they can be replaced while a
// program runs.
func (c *Conn) secure(o ConnectOptions) ([]nats.Option, error) {
	var options []nats.Option
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	if o.User != "" {
		options = append(options, nats.UserInfo(o.User, o.Password))
	}
	if o.CA != "" {
		options = append(options, nats.RootCAs(o.CA))
	}
	if o.Certificate != "" {
		options = append(options, nats.ClientCert(o.Certificate, o.CertificateKey))
	}
	if o.NKey != "" {
		public, err := publicKey(o.NKey)
		if err != nil {
			return nil, err
		}
		options = append(options, nats.Nkey(public, func(nonce []byte) ([]byte, error) { return sign(o.NKey, nonce) }))
	}
	return options, nil
}

// renewKey names the user whose seed stands in the file now. nats.go reads the
// seed for each attempt, but remembers whose it was. It is called by the
// goroutine that connects, before an attempt.
func (c *Conn) renewKey(file string) {
	conn := c.connecting.Load()
	if file == "" || conn == nil {
		return
	}
	public, err := publicKey(file)
	if err != nil {
		c.note(err)
		return
	}
	conn.Opts.Nkey = public
}

// publicKey returns the public key of the user whose seed stands in a file.
func publicKey(file string) (string, error) {
	pair, err := readSeed(file)
	if err != nil {
		return "", err
	}
	defer pair.Wipe()
	public, err := pair.PublicKey()
	if err != nil {
		return "", fmt.Errorf("NKey %s: %w", file, err)
	}
	if !nkeys.IsValidPublicUserKey(public) {
		return "", fmt.Errorf("NKey %s: it is not the seed of a user, which begins with SU", file)
	}
	return public, nil
}

func sign(file string, nonce []byte) ([]byte, error) {
	pair, err := readSeed(file)
	if err != nil {
		return nil, err
	}
	defer pair.Wipe()
	return pair.Sign(nonce)
}

func readSeed(file string) (nkeys.KeyPair, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("NKey: %w", err)
	}
	defer clear(text)
	pair, err := nkeys.ParseDecoratedUserNKey(text)
	if err != nil {
		return nil, fmt.Errorf("NKey %s: it has no seed of a user: %w", file, err)
	}
	return pair, nil
}

// validateFiles reports which file cannot be used, or which two exclude each
// other.
func (o ConnectOptions) validateFiles() error {
	if o.Credentials != "" && o.NKey != "" {
		return errors.New("both NATS credentials and an NKey are given: leave one out")
	}
	if (o.Certificate == "") != (o.CertificateKey == "") {
		return errors.New("the NATS client certificate and its key belong together: give both or neither")
	}
	if o.NKey != "" {
		if _, err := publicKey(o.NKey); err != nil {
			return err
		}
	}
	for what, name := range map[string]string{
		"credentials": o.Credentials, "CA": o.CA, "client certificate": o.Certificate, "key of the client certificate": o.CertificateKey,
	} {
		if name == "" {
			continue
		}
		file, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		_ = file.Close() // nothing was written
	}
	return nil
}
