// Command release builds dist/ from the commit that is checked out: for each platform the program with the onnxruntime
// library beside it, licences, completion scripts and manual page in one archive, and SHA256SUMS. It builds from a copy
// of the commit, so files that are not committed have no part in it, and the same commit, Go and zig make the same
// bytes.
//
// Every platform is built by zig as C compiler, this one included: what comes out then depends on no system library
// newer than those that onnxruntime itself needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1) //nolint:forbidigo // a program of its own
	}
}

func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	out := flags.String("out", "dist", "folder of the archives")
	zig := flags.String("zig", "", "path of the zig program, the C compiler")
	tags := flags.String("tags", "", "build tags besides mpqc_nolink, with commas between them")
	only := flags.String("platforms", strings.Join(names(platforms()), ","), "what to build")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *zig == "" {
		return fmt.Errorf("-zig is missing: make release installs it")
	}
	wanted, err := choose(platforms(), *only)
	if err != nil {
		return err
	}
	compiler, err := filepath.Abs(*zig)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mpqc-release-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work) //nolint:errcheck // a temporary folder
	c, err := export(ctx, filepath.Join(work, "source"))
	if err != nil {
		return err
	}
	b := &builder{commit: c, work: work, zig: compiler, tags: strings.Trim("mpqc_nolink,"+*tags, ","), log: log}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return err
	}
	return b.all(ctx, wanted, *out)
}

// all builds the platforms and sums up what lies in out afterwards.
func (b *builder) all(ctx context.Context, wanted []platform, out string) error {
	shared, err := b.pages(ctx)
	if err != nil {
		return err
	}
	var archives []string
	for _, p := range wanted {
		fmt.Fprintf(b.log, "release: %s %s\n", b.commit.version, p.name())
		files, err := b.files(ctx, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name(), err)
		}
		folder := "mpqc-" + b.commit.version + "-" + p.os + "-" + p.arch
		path := filepath.Join(out, folder+p.archive())
		if err := pack(path, folder, append(files, shared...), b.commit.time); err != nil {
			return err
		}
		archives = append(archives, path)
	}
	return sums(filepath.Join(out, "SHA256SUMS"), archives)
}
