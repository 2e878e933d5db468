"""Small networks of many kinds, as PyTorch's exporters write them. Run with torch 2.9 and onnxscript; the files are
committed, tests need no Python."""
import onnx
import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)


def conv(i, o, k=1, stride=1, act=nn.SiLU, groups=1):
    return nn.Sequential(nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o), act())


class Excite(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, 4, 1), nn.Conv2d(4, c, 1)

    def forward(self, x):
        return x * F.hardsigmoid(self.b(F.relu(self.a(F.adaptive_avg_pool2d(x, 1)))))


class Mobile(nn.Module):
    """MobileNetV3: HardSwish, depthwise convolutions, squeeze and excitation."""

    def __init__(self):
        super().__init__()
        self.stem = conv(3, 8, 3, 2, nn.Hardswish)
        self.block = nn.Sequential(conv(8, 16, 1, 1, nn.Hardswish), conv(16, 16, 3, 1, nn.Hardswish, 16), Excite(16),
                                   nn.Conv2d(16, 8, 1, bias=False), nn.BatchNorm2d(8))
        self.head = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x)
        return self.head((x + self.block(x)).mean([2, 3]))


class Detector(nn.Module):
    """YOLO: SiLU, chunks, Concat, pooling pyramid, upsampling, two scales, boxes beside Sigmoid scores."""

    def __init__(self):
        super().__init__()
        self.stem, self.down = conv(3, 8, 3, 2), conv(8, 16, 3, 2)
        self.inner, self.out = conv(8, 8, 3), conv(24, 16)
        self.pyramid, self.fuse = conv(32, 16), conv(24, 8)
        self.small, self.large = nn.Conv2d(8, 6, 1), nn.Conv2d(16, 6, 1)

    def forward(self, x):
        first = self.stem(x)
        a, b = self.down(first).chunk(2, 1)
        y = self.out(torch.cat([a, b, b + self.inner(b)], 1))
        y = self.pyramid(torch.cat([y, F.max_pool2d(y, 5, 1, 2)], 1))
        z = self.fuse(torch.cat([F.interpolate(y, scale_factor=2), first], 1))
        boxes, scores = torch.cat([self.small(z).flatten(2), self.large(y).flatten(2)], 2).split([4, 2], 1)
        return torch.cat([boxes, scores.sigmoid()], 1)


class Darknet(nn.Module):
    """LeakyRelu, residuals, and a detection head that is a five-dimensional view."""

    def __init__(self):
        super().__init__()
        act = lambda: nn.LeakyReLU(0.1)
        self.a, self.b, self.c = conv(3, 8, 3, 2, act), conv(8, 8, 1, 1, act), conv(8, 8, 3, 1, act)
        self.o = nn.Conv2d(8, 12, 1)

    def forward(self, x):
        x = self.a(x)
        y = self.o(x + self.c(self.b(x)))
        return y.view(y.shape[0], 2, 6, y.shape[2], y.shape[3]).permute(0, 1, 3, 4, 2).contiguous()


class Transformer(nn.Module):
    """Vision transformer: class token, attention as MatMul or Einsum, LayerNormalization, Gelu."""

    def __init__(self, einsum=False):
        super().__init__()
        d = 12
        self.einsum = einsum
        self.patch, self.token = nn.Conv2d(3, d, 8, 8), nn.Parameter(torch.randn(1, 1, d))
        self.place = nn.Parameter(torch.randn(1, 5, d))
        self.n1, self.qkv, self.proj = nn.LayerNorm(d), nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.n2, self.f1, self.f2, self.head = nn.LayerNorm(d), nn.Linear(d, 2 * d), nn.Linear(2 * d, d), nn.Linear(d, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        n, t, d = x.shape
        q, k, v = self.qkv(self.n1(x)).reshape(n, t, 3, 3, d // 3).permute(2, 0, 3, 1, 4).unbind(0)
        if self.einsum:
            y = torch.einsum("bhnm,bhmd->bhnd", (torch.einsum("bhnd,bhmd->bhnm", q, k) / 2).softmax(-1), v)
        else:
            y = (q @ k.transpose(-2, -1) / 2).softmax(-1) @ v
        x = x + self.proj(y.transpose(1, 2).reshape(n, t, d))
        x = x + self.f2(F.gelu(self.f1(self.n2(x))))
        return self.head(x[:, 0])


class Groups(nn.Module):
    """GroupNorm, InstanceNorm, Mish, Elu, and a ConvNeXt block: channels last and back."""

    def __init__(self):
        super().__init__()
        self.a, self.g = nn.Conv2d(3, 8, 3, 2, 1), nn.GroupNorm(2, 8)
        self.b, self.i = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.InstanceNorm2d(8, affine=True)
        self.n, self.f1, self.f2, self.head = nn.LayerNorm(8), nn.Linear(8, 16), nn.Linear(16, 8), nn.Linear(8, 10)

    def forward(self, x):
        x = F.mish(self.g(self.a(x)))
        y = F.elu(self.i(self.b(x))).permute(0, 2, 3, 1)
        return self.head((x + self.f2(F.gelu(self.f1(self.n(y)))).permute(0, 3, 1, 2)).mean([2, 3]))


def write(m, name, opset, new, open_batch):
    for k in m.modules():
        if isinstance(k, (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d)):
            k.weight.data.uniform_(0.5, 1.5)
            k.bias.data.normal_(0, 0.2)
        if isinstance(k, nn.BatchNorm2d):
            k.running_mean.normal_(0, 0.2)
            k.running_var.uniform_(0.5, 1.5)
    x = torch.randn(2 if open_batch else 1, 3, 16, 16)
    more = {}
    if open_batch and new:
        more["dynamic_shapes"] = ({0: torch.export.Dim("batch", min=1, max=1024)},)
    elif open_batch:
        more["dynamic_axes"] = {"image": {0: "batch"}}
    if new:
        more["external_data"] = False
    torch.onnx.export(m.eval(), (x,), name + ".onnx", dynamo=new, opset_version=opset, input_names=["image"],
                      output_names=["out"], verbose=False, **more)
    file = onnx.load(name + ".onnx")
    for part in [*file.graph.node, *file.graph.value_info, *file.graph.initializer, *file.graph.input, *file.graph.output, file.graph, file]:
        part.doc_string = ""
        del part.metadata_props[:]  # stack traces, larger than the weights
    onnx.save(file, name + ".onnx")


write(Mobile(), "mobile-18", 18, True, True)
write(Mobile(), "mobile-21-fixed", 21, True, False)
write(Detector(), "detector-18-fixed", 18, True, False)
write(Detector(), "detector-17-script", 17, False, True)
write(Darknet(), "darknet-21", 21, True, True)
write(Transformer(), "transformer-18", 18, True, True)
write(Transformer(), "transformer-20-fixed", 20, True, False)
write(Transformer(True), "einsum-17-script", 17, False, True)
write(Groups(), "groups-21", 21, True, True)
write(Groups(), "groups-17-script", 17, False, True)
