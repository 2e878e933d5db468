package job

import (
	"testing"

	"github.com/mpqc/mpqc/cmd"
	"github.com/mpqc/mpqc/internal/testkit/program"
)

func TestMain(m *testing.M) { program.Main(m, cmd.Run) }
