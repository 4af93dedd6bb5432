package natsserver

import (
	"context"
	"crypto/sha256"
	"os"
	"time"
)

// reloadPoll is how often the files with users and certificates are looked at.
const reloadPoll = 2 * time.Second

// digest is that of the files that can be replaced while the server runs.
func (o Options) digest() (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, file := range []string{o.UsersFile, o.CertificateFile, o.KeyFile, o.ClientCAFile} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		part := sha256.Sum256(text)
		_, _ = h.Write(part[:]) // never fails
		if err != nil {
			_, _ = h.Write([]byte(err.Error()))
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// reload takes in files that have changed, until ctx ends. When they are wrong, the former users and certificates stay in force. Clients
// that are no users any more are cut off.
func (s *Server) reload(ctx context.Context) {
	if s.options.UsersFile == "" && s.options.CertificateFile == "" {
		return
	}
	poll := time.NewTicker(reloadPoll)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		now := s.options.digest()
		if now == s.loaded {
			continue
		}
		s.loaded = now
		opts, err := s.options.server(s.own)
		if err == nil {
			err = s.nats.ReloadOptions(opts)
		}
		if err != nil {
			s.log.log.Error().Err(err).Msg("the users and certificates of the NATS server cannot be read, the former ones stay in force")
			continue
		}
		s.log.log.Info().Msg("the users and certificates of the NATS server were read again")
	}
}
