package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/config"
	"github.com/flagside/flagside/internal/publisher/cli/contexts"
	"github.com/flagside/flagside/internal/publisher/client"
)

func loginCommand() commandline.Command {
	return command("login", "remember a publisher, your token and an environment", login)
}

// login remembers a publisher, with the token and the environment of the user.
func login() commandline.Invocation {
	var l loggingIn
	f := newForm("login", "Remembers a publisher, your token and an environment as a context, and uses it from now on. Asks for the token unless "+
		"--token-file has it.")
	f.conn.secret.OnlyOnCommandLine() // others are for another publisher
	f.conn.authorities.OnlyOnCommandLine()
	f.set.String(&l.environment, "environment", "", "environment that commands use by default").Short("e").Of(namesEnvironment).
		OnlyOnCommandLine()
	f.set.String(&l.name, "name", "", "name of the context; without it the host of the publisher, and the port if it has one")
	f.check(func() bool { return l.name == "" || isName(l.name) }, "--name is made of letters, digits, dots, dashes and underscores")
	return f.local(func(ctx context.Context, t commandline.Terminal) error {
		l.connection, l.terminal = f.conn, t
		return l.run(ctx)
	})
}

// isName reports whether a text can be the name of a context, and of a file.
func isName(text string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:") == "" && strings.Trim(text, ".") != ""
}

// loggingIn is a login under way.
type loggingIn struct {
	connection

	terminal          commandline.Terminal
	environment, name string
}

func (l *loggingIn) run(ctx context.Context) error {
	dir, kept, err := contextsOf(l.terminal)
	if err != nil {
		return err
	}
	secret, file := l.token.Reveal(), l.tokenFile()
	if secret == "" {
		if secret, err = l.terminal.AskSecret(ctx, "Token for "+l.address+": "); err != nil {
			return err
		}
	}
	who, err := l.verify(ctx, secret)
	if err != nil {
		return err
	}
	if l.name == "" {
		if l.name, err = hostOf(l.address); err != nil {
			return err
		}
	}
	made := contexts.Context{Admin: l.address, Environment: l.environment}
	if made.CA, err = absolute(l.ca); err != nil {
		return err
	}
	if made.TokenFile, err = absolute(file); err != nil {
		return err
	}
	if made.TokenFile == "" && secret != "" {
		if made.TokenFile, err = contexts.WriteToken(dir, l.name, secret); err != nil {
			return err
		}
	}
	if err := contexts.Write(dir, kept.With(l.name, made)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(l.terminal.Stdout, "logged in to %s as %s; context %s is used from now on\n", l.address, printable(who), l.name)
	return err
}

// fromContext reports whether an option has its value from the context in use.
func fromContext(o *config.Option) bool { return strings.HasPrefix(o.Source(), "context ") }

// verify returns who the publisher takes a token for.
func (l *loggingIn) verify(ctx context.Context, secret string) (string, error) {
	c, err := client.New(client.Options{Address: l.address, Token: secret, CAFile: l.ca})
	if err != nil {
		return "", err
	}
	who, err := c.WhoAmI(ctx)
	if err != nil {
		return "", (&session{client: c}).failure(ctx, err)
	}
	return cmp.Or(who.Name, who.ID), nil
}

func hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || !isName(u.Host) {
		return "", errors.New("name the context with --name")
	}
	return u.Host, nil
}

// absolute returns the path of a file from everywhere, nothing of nothing.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// contextsOf returns the contexts of a user, and where they are.
func contextsOf(t commandline.Terminal) (dir string, kept contexts.Contexts, err error) {
	if dir, err = contexts.Directory(config.Lookup(t.Environ)); err == nil {
		kept, err = contexts.Read(dir)
	}
	return dir, kept, err
}

// FromContext returns what the context in use says about options. A user without a configuration directory has none.
func FromContext(t commandline.Terminal) (func(option string) (value, place string), error) {
	dir, err := contexts.Directory(config.Lookup(t.Environ))
	if errors.Is(err, contexts.ErrNoDirectory) {
		return contexts.Contexts{}.Value, nil
	}
	kept, err := contexts.Read(dir)
	return kept.Value, err
}
