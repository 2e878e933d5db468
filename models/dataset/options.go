package dataset

import (
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
)

// Splits, as Options.Split takes them.
const (
	Train = "train" // for training, calibration and search
	Val   = "val"   // only if the data has a split of that name
	Test  = "test"  // the test split, else the validation split, else a seeded share of everything
	All   = "all"
	// HeldOut is what neither training nor calibration nor search sees. It is the validation split of data that also
	// has a test split, else the part of Train that Options.Reserve sets apart. It may be empty.
	HeldOut = "judge"
)

// Options says which samples of a data set are wanted, and in which form.
type Options struct {
	Preprocessing models.Preprocessing
	// Shape of one sample as the model takes it, without the batch; -1 is unknown. nil means the shape of the first
	// sample.
	Shape tensor.Shape
	// Split is one of the constants; "" is All.
	Split string
	// Holdout is the share in (0, 1) of the samples that becomes Test if the data has no test or validation split.
	Holdout float64
	// Develop is the number of samples of Train that stand in for Test, which is then not read. The choice does not
	// depend on Seed, so that runs with different seeds can be compared.
	Develop int
	// Reserve sets a share of Train apart as HeldOut.
	Reserve bool
	// Seed chooses the samples of Holdout.
	Seed uint64
	// Input is the name of the model's input, which names the array in an .npz file.
	Input string
	// MaxMemory is the most bytes that the whole run may take, of which decoding gets a share; 0: the memory of the
	// machine.
	MaxMemory int64
}

// Validate lists everything that is wrong with the options.
func (o Options) Validate() error {
	var errs []error
	switch o.Split {
	case "", Train, Val, Test, All, HeldOut:
	default:
		errs = append(errs, fmt.Errorf("unknown split %q", o.Split))
	}
	if !(o.Holdout >= 0 && o.Holdout <= 1) {
		errs = append(errs, fmt.Errorf("hold-out %v is not between 0 and 1", o.Holdout))
	}
	if o.Develop < 0 {
		errs = append(errs, fmt.Errorf("%d samples for development are negative", o.Develop))
	}
	if len(o.Shape) > 3 {
		errs = append(errs, fmt.Errorf("a sample of shape %s has more than three dimensions", o.Shape))
	}
	if err := o.Preprocessing.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("preprocessing: %w", err))
	}
	return errors.Join(errs...)
}
