"""Command-line flags: names, defaults, help. `run_flags` reads and `flag_checks` checks them."""

from __future__ import annotations

from absl import flags

from ss_tf import config

STAGE = flags.DEFINE_enum(
    "stage",
    "super",
    ["flat", "super", "sub", "all"],
    "What to train: flat over all labels, super over the superclasses, sub inside the superclasses "
    "of --superclass (they start from the --sub_init network, which must be trained), or all.",
)
SUPERCLASS = flags.DEFINE_list(
    "superclass",
    ["all"],
    "Superclasses whose sub networks --stage=sub trains, separated by commas, or 'all'.",
)
RUN_DIR = flags.DEFINE_string(
    "run_dir",
    None,
    "Folder of the run: networks, deltas and report. A run that was stopped continues there. "
    "Default: runs/<dataset>.",
)

# Data.
DATASET = flags.DEFINE_string(
    "dataset",
    "superclass_typefaces",
    "superclass_typefaces: bundled, 253 typefaces of 10 scripts. superclass_imagenet: as `tfds "
    "build` made it; superclass_imagenet/CONFIG for another grouping. cifar100: 100 classes in 20 "
    "groups, through TFDS. folder: your photos in --data_dir, as superclass/subclass/image.jpg.",
)
DATA_DIR = flags.DEFINE_string(
    "data_dir",
    None,
    "For --dataset=folder the photo tree; else where TFDS keeps data sets (default: its own).",
)
IMAGE_SIZE = flags.DEFINE_integer(
    "image_size", 32, "Side of the square network input, in pixels.", lower_bound=8
)
TRAIN_IMAGE_SIZE = flags.DEFINE_integer(
    "train_image_size",
    None,
    "Side of the training images, in pixels, if it is another than --image_size: 176 for 224 takes "
    "0.62 of the compute.",
    lower_bound=8,
)
MIN_CROP_AREA = flags.DEFINE_float(
    "min_crop_area",
    0.35,
    "Smallest share of a photo's area that a random training crop shows. Long trainings use 0.08.",
    lower_bound=0.01,
    upper_bound=1.0,
)
MINIVAL_FRACTION = flags.DEFINE_float(
    "minival_fraction",
    0.05,
    "Share of each subclass's training images held out to watch the training with.",
    lower_bound=0.0,
    upper_bound=0.9,
)
SKIP_UNREADABLE = flags.DEFINE_bool(
    "skip_unreadable",
    False,
    "For --dataset=folder: leave unreadable images out and count them, instead of stopping.",
)

# Networks.
BACKBONE = flags.DEFINE_enum(
    "backbone", "resnet18", list(config.BACKBONES), "ResNet of the flat, super and sub networks."
)
RESNET_BLOCKS = flags.DEFINE_list(
    "resnet_blocks",
    [],
    "Blocks in each of the four stages, e.g. 3,4,6,3, for a depth that --backbone does not name; "
    "the kind of block stays the backbone's.",
)
BASE_WIDTH = flags.DEFINE_integer(
    "base_width", 16, "Filters of the first stage; torchvision's networks have 64.", lower_bound=1
)
STEM = flags.DEFINE_enum(
    "stem",
    "small",
    list(config.STEMS),
    "First layer: small (3x3, stride 1, no pool) or imagenet (7x7, stride 2, max pool).",
)
FLAT_BACKBONE = flags.DEFINE_enum(
    "flat_backbone",
    "twice",
    ["twice", "none", *config.BACKBONES],
    "ResNet of the second flat network, which should cost about as much as two stages, for a fair "
    "comparison: twice the blocks of --backbone in each stage, or a network by name (resnet34 "
    "costs twice resnet18).",
)
SUB_INIT = flags.DEFINE_enum(
    "sub_init",
    "super",
    list(config.SUB_INITS),
    "What sub networks start from. super (the paper) and flat also make that network the base of "
    "the deltas and the first stage; scratch trains sub networks on their own, without deltas.",
)
INIT = flags.DEFINE_string(
    "init",
    None,
    "Pretrained weights (.safetensors or .npz, of torchvision, timm or Hugging Face) that flat and "
    "super start from, with --sub_init=scratch subs too; a head for other classes starts anew.",
)
EQUAL_COMPUTE_INIT = flags.DEFINE_string(
    "equal_compute_init",
    None,
    "The same for the second flat network, whose depth is another.",
)

# Deltas.
DELTA_BITS = flags.DEFINE_float(
    "delta_bits",
    1.0,
    "Most bits per weight that deltas may take as quantization-aware training begins, for a "
    "superclass of as many images as others; for those of more or less, times the cube root. "
    "Kernels are trained on the finest grid around the base that keeps to it. 8 leaves them free.",
    lower_bound=0.01,
    upper_bound=config.FREE_BITS,
)
DELTA_PENALTY = flags.DEFINE_float(
    "delta_penalty",
    0.0,
    "int8 steps that quantization-aware training pulls each weight of a sub network towards the "
    "base, per optimizer step and unit of learning rate. 1e9: only batch norm and head learn.",
    lower_bound=0.0,
)
FREEZE_THROUGH = flags.DEFINE_enum(
    "freeze_through",
    "none",
    ["none", *config.STAGES],
    "Last part of the base that sub networks share as it is: their delta is zero there.",
)

# Optimization.
BATCH_SIZE = flags.DEFINE_integer("batch_size", 64, "Images per step.", lower_bound=1)
FLAT_EPOCHS = flags.DEFINE_integer("flat_epochs", 16, "Epochs of each flat network.", lower_bound=1)
SUPER_EPOCHS = flags.DEFINE_integer(
    "super_epochs", 6, "Epochs of the super network.", lower_bound=1
)
SUB_EPOCHS = flags.DEFINE_integer("sub_epochs", 10, "Epochs of each sub network.", lower_bound=1)
BASE_QAT_EPOCHS = flags.DEFINE_integer(
    "base_qat_epochs",
    1,
    "Quantization-aware epochs of the base, after the float ones.",
    lower_bound=0,
)
SUB_QAT_EPOCHS = flags.DEFINE_integer(
    "sub_qat_epochs",
    2,
    "Quantization-aware epochs of each sub network, after the float ones.",
    lower_bound=0,
)
LEARNING_RATE = flags.DEFINE_float(
    "learning_rate",
    0.1,
    "Peak learning rate of networks that do not start from the base, at --batch_size.",
    lower_bound=0.0,
)
SUB_LEARNING_RATE = flags.DEFINE_float(
    "sub_learning_rate",
    0.05,
    "Peak learning rate of sub networks that start from the base.",
    lower_bound=0.0,
)
QAT_LEARNING_RATE = flags.DEFINE_float(
    "qat_learning_rate",
    0.005,
    "Learning rate that the base's quantization-aware epochs start at.",
    lower_bound=0.0,
)
SUB_QAT_LEARNING_RATE = flags.DEFINE_float(
    "sub_qat_learning_rate",
    0.01,
    "The same for sub networks; small, because their kernels must stay in the base's ranges.",
    lower_bound=0.0,
)
WARMUP_EPOCHS = flags.DEFINE_float(
    "warmup_epochs",
    1.0,
    "Linear warm-up of the learning rate in float training, in epochs.",
    lower_bound=0.0,
)
MOMENTUM = flags.DEFINE_float("momentum", 0.9, "Momentum of SGD.", lower_bound=0.0, upper_bound=1.0)
WEIGHT_DECAY = flags.DEFINE_float(
    "weight_decay",
    5e-4,
    "Share of each kernel, times the learning rate, that is taken off per step, past the momentum: "
    "to have the effect of PyTorch's SGD with momentum 0.9, ten times its number.",
    lower_bound=0.0,
)
LABEL_SMOOTHING = flags.DEFINE_float(
    "label_smoothing", 0.1, "Share of the target spread over all classes.", 0.0, 0.9
)
AUGMENT = flags.DEFINE_list(
    "augment",
    ["translate"],
    f"Random changes of training images, in order: any of {', '.join(config.AUGMENTATIONS)}. "
    "Leave empty for none.",
)
MIXUP = flags.DEFINE_float(
    "mixup",
    0.0,
    "Alpha of Mixup in float training: blends pairs of images. 0 is off; with --cutmix, each batch "
    "takes one of the two.",
    lower_bound=0.0,
)
CUTMIX = flags.DEFINE_float(
    "cutmix",
    0.0,
    "Alpha of CutMix in float training: pastes a part of one image into another. 0 is off.",
    lower_bound=0.0,
)
EMA_DECAY = flags.DEFINE_float(
    "ema_decay",
    0.0,
    "Decay per step of the moving average of the weights that float training ends with, e.g. "
    "0.9999; less in the first steps of a phase. 0 keeps the last weights.",
    lower_bound=0.0,
    upper_bound=0.999999,
)
SEED = flags.DEFINE_integer("seed", 0, "Every random draw comes from it.", lower_bound=0)
DETERMINISTIC = flags.DEFINE_bool(
    "deterministic", False, "Use only operations that give the same result every time."
)
CHECKPOINT_MINUTES = flags.DEFINE_float(
    "checkpoint_minutes", 1.0, "Most minutes of work that a killed run loses.", lower_bound=0.0
)
STRATEGY = flags.DEFINE_enum(
    "strategy",
    "default",
    list(config.STRATEGIES),
    "Devices: default is one; mirrored, all GPUs of this machine; multi_worker, several machines, "
    "each started with its own TF_CONFIG and the same --run_dir on a shared disk.",
)
MIXED_PRECISION = flags.DEFINE_bool(
    "mixed_precision",
    False,
    "Compute float training in float16, with float32 weights and loss scaling, on GPUs with "
    "tensor cores.",
)
JIT_COMPILE = flags.DEFINE_bool(
    "jit_compile", False, "Compile float training with XLA. Much slower on CPUs."
)
NETWORKS_FROM = flags.DEFINE_string(
    "networks_from",
    None,
    "Folder of another run whose flat and super networks are copied, not trained again, to "
    "compare one --sub_init with another. All but the sub networks' flags must agree.",
)
