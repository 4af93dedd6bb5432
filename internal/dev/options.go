package dev

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"

	"github.com/flagside/flagside/eval"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/listen"
	"github.com/flagside/flagside/internal/sidecar"
	flagsync "github.com/flagside/flagside/sync"
)

// DefaultEnvironment is the environment whose truth the file is, unless the options say otherwise.
const DefaultEnvironment = "dev"

// Options say which file to watch and where to listen. Empty addresses are the defaults of publisher and sidecar.
type Options struct {
	// File is the flagd file to watch, JSON or YAML. It is required; that it exists is not.
	File string
	// Environment is the environment that has the flags of the file; empty means DefaultEnvironment.
	Environment string
	// Compatibility says how strictly the file is read, and goes into the settings of the environment.
	Compatibility eval.Compatibility
	// DataDir keeps the change log over a restart; empty means a temporary directory that is removed at the end.
	DataDir string

	// Sidecar says where the sidecar listens, who may ask it, and what contexts get. What it follows and keeps is the business of dev.
	Sidecar   sidecar.Options
	AdminAddr string
	NATSAddr  string

	// Out gets a few lines for people once everything listens; nil means that no one reads them.
	Out io.Writer
	// Logger gets everything that is worth telling. Its zero value logs nothing.
	Logger zerolog.Logger
}

// Validate returns why New would refuse the options, if it is for the options alone.
func (o Options) Validate() error {
	_, err := o.complete()
	return err
}

// notYet stands for the server of the publisher that is made once the options are good.
type notYet struct{}

// InProcessConn implements sidecar.Server.
func (notYet) InProcessConn() (net.Conn, error) {
	return nil, errors.New("the publisher has not started yet")
}

// complete returns the options with their defaults, or why they cannot be used.
func (o Options) complete() (Options, error) {
	if o.File == "" {
		return o, errors.New("dev: no file is given: name a flag file")
	}
	path, err := filepath.Abs(o.File)
	if err != nil {
		return o, fmt.Errorf("dev: %w", err)
	}
	o.File = path
	switch info, err := os.Stat(o.File); {
	case err != nil: // it may come later
	case info.IsDir():
		return o, fmt.Errorf("dev: %s is a directory: give the flag file in it", o.File)
	case !info.Mode().IsRegular():
		return o, fmt.Errorf("dev: %s is no file that can be read again when it changes", o.File)
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Environment == "" {
		o.Environment = DefaultEnvironment
	}
	if err := flagsync.ValidateEnvironment(o.Environment); err != nil {
		return o, fmt.Errorf("dev: %w", err)
	}
	o.Sidecar.Environment = o.Environment
	inProcess := o.Sidecar
	inProcess.Server = notYet{} // in the place of the publisher that it gets
	if err := inProcess.Validate(); err != nil {
		return o, fmt.Errorf("dev: %w", err)
	}
	// Anyone who develops does not mean to serve the network.
	for _, addr := range slices.Concat(
		listen.Addresses(o.Sidecar.OFREPAddr), listen.Addresses(o.Sidecar.FlagdAddr), listen.Addresses(o.Sidecar.FlagdSyncAddr),
		[]string{o.Sidecar.ManagementAddr, o.AdminAddr, o.NATSAddr},
	) {
		if _, socket := listen.Path(addr); addr == "" || addr == listen.Off || socket {
			continue
		}
		if err := config.LoopbackOnly(addr); err != nil {
			return o, fmt.Errorf("dev: %w", err)
		}
	}
	return o, nil
}
