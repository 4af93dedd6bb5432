// Package systemd tells the service manager of a Linux host that a program has started.
package systemd

import (
	"errors"
	"fmt"
	"net"
)

// socketVariable names the socket that a unit of Type=notify listens on.
const socketVariable = "NOTIFY_SOCKET"

// Ready tells the service manager that the program has taken its addresses and files, as sd_notify(3) would. Without a service manager that asks,
// which lookup tells, it does nothing. lookup is usually os.LookupEnv.
func Ready(lookup func(name string) (string, bool)) error {
	name, ok := lookup(socketVariable)
	if !ok || name == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"}) // which knows @ as the begin of an abstract name
	if err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	_, err = conn.Write([]byte("READY=1"))
	if err = errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("service manager: %w", err)
	}
	return nil
}
