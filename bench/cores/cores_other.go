//go:build !linux

package cores

import "errors"

func (c Core) start(func() error) error {
	return errors.New("processes are bound to cores on Linux only")
}
