package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/flagside/flagside/internal/commandline"
	"github.com/flagside/flagside/internal/publisher/audit"
	"github.com/flagside/flagside/sync/changelog"
)

func auditExport() commandline.Invocation {
	var format string
	var withControl bool
	f := newForm("audit export", "Writes the history of an environment: its ledger and its log, each record exactly as it is stored, with its proof and the "+
		"fields that it changed, and a signed checkpoint at the end. Keep it elsewhere: audit verify reads it with nothing but a trust file. The times of the export and of "+
		"storing (time, stored) are for people: nothing proves them.").inEnvironment()
	f.set.Choice(&format, "format", "jsonl", []string{"jsonl", "csv"}, "jsonl has the proofs; csv is a table of changes, a line for each field")
	f.set.Bool(&withControl, "with-control", false, "also CONTROL, which records environments and tokens; administrators only")
	return f.runs(func(ctx context.Context, s *session) error {
		export, err := s.client.ExportAudit(ctx, f.environment, withControl)
		if err != nil {
			return err
		}
		defer func() { _ = export.Close() }() // it was read
		out := bufio.NewWriter(s.terminal.Stdout)
		if format == "csv" {
			err = audit.Table(export, out)
		} else {
			_, err = io.Copy(out, export)
		}
		return errors.Join(err, out.Flush())
	})
}

func auditVerify() commandline.Invocation {
	var file, trustFile, checkpointFile string
	var o audit.Options
	f := newForm("audit verify", "Verifies the history of an environment: that every record continues the one before, that publishers signed it, that each change "+
		"leads to the state that was signed, that what was applied is what was approved, and that the changes shown are those that were made. It reads the export in "+
		"--file, or asks the publisher for one; either way it believes the trust file alone, so use the newest: a key that was revoked counts until a keys note "+
		"without it is known. It names the first bad record and exits with 1. It exits with 10 if all that is there is proved, but parts of the history are lost. "+
		"Records that were cut off at the end, and a history that was rewritten with a key that counts, show only against --checkpoint. The times at "+
		"which the export was made and records were stored (time, stored) prove nothing.")
	f.set.String(&f.environment, "environment", "", "environment to verify; an export of another one is refused").Short("e")
	f.set.File(&file, "file", "", "file written by audit export; - is standard input")
	f.set.File(&trustFile, "trust-file", "", "trust file of the installation, from a source that you trust").Require()
	f.set.File(&checkpointFile, "checkpoint", "", "file with signed checkpoints that were kept elsewhere, as serve --checkpoint-file appends them; the history must contain what each names, in CONTROL only with --with-control")
	f.set.Bool(&o.EverySignature, "every-signature", false, "verify every signature, not only those that prove the others: it takes longer")
	f.set.Bool(&o.WithControl, "with-control", false, "verify CONTROL too: the export in --file must have it; asking for it is for administrators only")
	f.check(func() bool { return file != "" || f.environment != "" }, "give --file, or --environment to ask a publisher")
	return f.runs(func(ctx context.Context, s *session) error {
		trust, err := readTrust(trustFile)
		if err != nil {
			return err
		}
		if checkpointFile != "" {
			text, err := os.ReadFile(checkpointFile)
			if err != nil {
				return fmt.Errorf("checkpoint: %w", err)
			}
			if o.Checkpoints = string(text); len(text) == 0 {
				return fmt.Errorf("checkpoint: %s is empty: name a file with a kept checkpoint", checkpointFile)
			}
		}
		o.Environment = f.environment
		export, err := s.openExport(ctx, file, f.environment, o.WithControl)
		if err != nil {
			return err
		}
		defer func() { _ = export.Close() }() // it was read
		report, err := audit.Verify(export, trust, o)
		for _, warning := range report.Warnings {
			if _, err := fmt.Fprintln(s.terminal.Stdout, "warning:", printable(warning)); err != nil {
				return err
			}
		}
		if bad, ok := errors.AsType[*audit.BadRecordError](err); ok {
			return &failure{code: exitFailure, text: "the first bad record: " + printable(bad.Error())}
		}
		if err != nil {
			return err
		}
		return printReport(s.terminal.Stdout, report)
	})
}

func readTrust(file string) (changelog.Trust, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return changelog.Trust{}, fmt.Errorf("trust file: %w", err)
	}
	trust, err := changelog.ParseTrust(text)
	if err != nil {
		return changelog.Trust{}, fmt.Errorf("%s: %w", file, err)
	}
	return trust, nil
}

// openExport opens an export that was written before, or asks for one.
func (s *session) openExport(ctx context.Context, file, environment string, withControl bool) (io.ReadCloser, error) {
	switch file {
	case "":
		return s.client.ExportAudit(ctx, environment, withControl)
	case "-":
		return io.NopCloser(s.terminal.Stdin), nil
	default:
		return os.Open(file)
	}
}

// printReport prints what was verified. It fails if parts of the history are lost.
func printReport(out io.Writer, r audit.Report) error {
	for _, s := range r.Streams {
		if _, err := fmt.Fprintf(out, "%s: %d records, the last at %d\n", s.Stream, s.Records, s.Head.Sequence); err != nil {
			return err
		}
	}
	found := "all %d records of environment %s are whole and signed by installation %s\n"
	switch {
	case r.Incomplete:
		found = "the history is not whole: %d records of environment %s are left and proved, by installation %s; the warnings say what is missing\n"
	case len(r.Warnings) > 0:
		found = "%d records of environment %s are signed by installation %s; mind the warnings\n"
	}
	_, err := fmt.Fprintf(out, found, r.Records(), r.Environment, r.Installation)
	if err == nil && r.Incomplete {
		err = &failure{code: exitIncomplete, text: "parts of the history are lost or not proved: see the warnings"}
	}
	return err
}

func auditNote() commandline.Invocation {
	var revision, stream string
	f := newForm("audit note", "Prints the proof of an entry of the log, or of a record of the ledger, as a C2SP signed note: its last line is the signature of a key "+
		"that the keys note lists, or that a former one listed if the key was rotated or revoked since.").inEnvironment()
	f.set.Argument(&revision, "REVISION", "revision, such as 1f0c9a7e-42 or 42, or the number of a record of the ledger")
	f.set.Choice(&stream, "stream", "log", []string{"log", "ledger"}, "where the record stands")
	f.check(func() bool { _, err := revisionNumber(revision); return err == nil }, "REVISION is a revision such as 1f0c9a7e-42, or a number")
	return f.runs(func(ctx context.Context, s *session) error {
		number, err := revisionNumber(revision)
		if err != nil {
			return err
		}
		found, err := s.client.Note(ctx, f.environment, stream, number)
		if err != nil {
			return err
		}
		_, err = io.WriteString(s.terminal.Stdout, found.Note)
		return err
	})
}

// revisionNumber reads the number of a revision, with its epoch or without.
func revisionNumber(text string) (uint64, error) {
	if token, err := changelog.ParseToken(text); err == nil {
		return token.Revision, nil
	}
	return strconv.ParseUint(text, 10, 64)
}
