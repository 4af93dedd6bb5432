package main

import (
	"io"
	"net"
	"sync"
)

// cable forwards connections until it is cut. It may be mended and cut again.
type cable struct {
	at, to string

	mutex    sync.Mutex
	listener net.Listener
	ends     []net.Conn
}

func lay(to string) (*cable, error) {
	c := &cable{at: "127.0.0.1:0", to: to}
	return c, c.mend()
}

func (c *cable) address() string { return c.at }

// mend lets connections through.
func (c *cable) mend() error {
	listener, err := net.Listen("tcp", c.at)
	if err != nil {
		return err
	}
	c.mutex.Lock()
	c.listener, c.at = listener, listener.Addr().String()
	c.mutex.Unlock()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", c.to)
			if err != nil {
				near.Close()
				continue
			}
			c.connect(near, far)
		}
	}()
	return nil
}

func (c *cable) connect(near, far net.Conn) {
	c.mutex.Lock()
	c.ends = append(c.ends, near, far)
	c.mutex.Unlock()
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1])
			near.Close()
			far.Close()
		}()
	}
}

// cut ends all connections and refuses new ones.
func (c *cable) cut() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.listener.Close()
	for _, end := range c.ends {
		end.Close()
	}
	c.ends = nil
}
