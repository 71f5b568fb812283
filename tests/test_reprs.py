"""What `repr` shows of everything that users print: modules, optimizers, schedulers, dtypes, devices, sizes, results, tensors."""

from harness import Row, rows

MODULES = (
    """
Linear(3,4) Linear(3,4,bias=False) Bilinear(2,3,4) Identity(3) Flatten() Flatten(0,1) Unflatten(1,(2,3))
Conv1d(2,4,3,padding='same',groups=2,bias=False) Conv2d(1,2,3)
Conv2d(1,2,(3,4),stride=2,padding=(1,2),dilation=2,padding_mode='reflect') Conv3d(1,2,3)
ConvTranspose1d(1,2,3,output_padding=1,stride=2) ConvTranspose2d(1,2,3) ConvTranspose3d(1,2,3) LazyLinear(4) LazyConv1d(2,3)
LazyConv2d(2,3) LazyConv3d(2,3) LazyConvTranspose1d(2,3) LazyConvTranspose2d(2,3) LazyConvTranspose3d(2,3) LazyBatchNorm1d()
LazyBatchNorm2d() LazyBatchNorm3d() LazyInstanceNorm1d() LazyInstanceNorm2d() LazyInstanceNorm3d() BatchNorm1d(3,affine=False)
BatchNorm2d(3,momentum=None) BatchNorm3d(3) SyncBatchNorm(3) InstanceNorm1d(3) InstanceNorm2d(3) InstanceNorm3d(3) LayerNorm(3)
LayerNorm((3,4),elementwise_affine=False) GroupNorm(2,4) RMSNorm(3) RMSNorm((3,4),eps=1e-3) LocalResponseNorm(2) CrossMapLRN2d(2)
RNN(3,4,2,nonlinearity='relu',bidirectional=True,dropout=.1) LSTM(3,4) LSTM(3,4,2,proj_size=2,batch_first=True) GRU(3,4,bias=False)
RNNCell(3,4,nonlinearity='relu') LSTMCell(3,4) GRUCell(3,4) Embedding(3,4)
Embedding(3,4,padding_idx=1,max_norm=1.,scale_grad_by_freq=True,sparse=True) EmbeddingBag(3,4,mode='sum',padding_idx=0)
Dropout(0.3,True) Dropout1d() Dropout2d() Dropout3d() AlphaDropout() FeatureAlphaDropout() MaxPool1d(2)
MaxPool2d((2,3),stride=1,padding=1,ceil_mode=True) MaxPool3d(2) AvgPool1d(2) AvgPool2d(2) AvgPool3d(2) MaxUnpool1d(2) MaxUnpool2d(2)
MaxUnpool3d(2) FractionalMaxPool2d(3,output_size=2) FractionalMaxPool3d(3,output_size=2) LPPool1d(2,3) LPPool2d(2,3) LPPool3d(2,3)
AdaptiveAvgPool1d(2) AdaptiveAvgPool2d((1,None)) AdaptiveAvgPool3d(2) AdaptiveMaxPool1d(2) AdaptiveMaxPool2d(2) AdaptiveMaxPool3d(2)
AdaptiveLogSoftmaxWithLoss(4,10,[2,5]) ReflectionPad1d(2) ReflectionPad2d(2) ReflectionPad3d(2) ReplicationPad1d(2)
ReplicationPad2d((1,2,3,4)) ReplicationPad3d(2) ZeroPad1d(2) ZeroPad2d(2) ZeroPad3d(2) ConstantPad1d(2,3.5) ConstantPad2d(2,3.5)
ConstantPad3d(2,3.5) CircularPad1d(2) CircularPad2d(2) CircularPad3d(2) PixelShuffle(2) PixelUnshuffle(2) ChannelShuffle(2)
Upsample(scale_factor=2) Upsample(size=(3,4),mode='bilinear') UpsamplingNearest2d(scale_factor=2) UpsamplingBilinear2d(size=3)
Fold((4,5),2) Unfold(2) MultiheadAttention(4,2) MultiheadAttention(4,2,bias=False,kdim=3,vdim=5)
TransformerEncoderLayer(4,2,8,norm_first=True,activation='gelu') TransformerDecoderLayer(4,2,8)
TransformerEncoder(nn.TransformerEncoderLayer(4,2,8,batch_first=True),2)
TransformerDecoder(nn.TransformerDecoderLayer(4,2,8),2,nn.LayerNorm(4)) Transformer(4,2,1,1,8) PReLU(3) Threshold(0.1,20,True) Softmax()
Softmax(1) LogSoftmax(1) Softmin(1) Softmax2d() GLU(1) LeakyReLU(0.2,True) Hardtanh(-2,2,inplace=True) RReLU() ELU(2.) CELU() SELU(True)
GELU('tanh') ReLU() ReLU(inplace=True) ReLU6(True) Softplus(2,10) Softshrink(0.3) Hardshrink() SiLU(True) Mish() Hardswish()
Hardsigmoid() Sigmoid() Tanh() Tanhshrink() Softsign() LogSigmoid() CosineSimilarity(1) PairwiseDistance(1)
CrossEntropyLoss(weight=torch.ones(3)) MSELoss() L1Loss() NLLLoss() PoissonNLLLoss() GaussianNLLLoss() KLDivLoss() BCELoss()
BCEWithLogitsLoss(pos_weight=torch.ones(2)) HingeEmbeddingLoss() MultiLabelMarginLoss() SmoothL1Loss() HuberLoss() SoftMarginLoss()
MultiLabelSoftMarginLoss() CosineEmbeddingLoss() MarginRankingLoss() MultiMarginLoss() TripletMarginLoss()
TripletMarginWithDistanceLoss() CTCLoss() Sequential() Sequential(nn.ReLU(),nn.ReLU(),nn.Sequential(nn.Linear(2,2),nn.Linear(2,3)))
ModuleList() ModuleList([nn.Linear(1,2),nn.Linear(1,2),nn.ReLU()]) ModuleDict() ModuleDict({'a':nn.ReLU(),'b':nn.Linear(1,1)})
ParameterList() ParameterList([torch.ones(2),nn.Parameter(torch.zeros(2,3)),3,'a']) ParameterDict()
ParameterDict({'a':torch.ones(2),'b':nn.Parameter(torch.zeros(2,3)),'c':4}) Parameter(torch.ones(2))
Parameter(torch.ones(2),requires_grad=False) Buffer(torch.ones(2)) UninitializedParameter() UninitializedBuffer() Module()
DataParallel(nn.Linear(2,2))
""".split()
    + [
        "Sequential(*[nn.Linear(2,2) for _ in range(3)])",
    ]
)

test_modules = rows(*(Row(f"repr(nn.{module})") for module in MODULES))

PARAMETRIZATIONS = (
    "weight_norm spectral_norm parametrizations.weight_norm parametrizations.spectral_norm parametrizations.orthogonal".split()
)

test_parametrized_modules = rows(
    *(Row(f"torch.manual_seed(0); repr(nn.utils.{e}(nn.Linear(2,2)))") for e in PARAMETRIZATIONS),
    Row("repr(nn.Linear(2,2).load_state_dict(nn.Linear(2,2).state_dict()))"),
    Row("repr(nn.utils.rnn.pack_sequence([torch.ones(2), torch.zeros(1)]))"),
)

OPTIMIZERS = "ASGD Adadelta Adafactor Adagrad Adam AdamW Adamax LBFGS Muon NAdam RAdam RMSprop Rprop SGD SparseAdam".split()
ONE = "[nn.Parameter(torch.ones(2,2))]"

test_optimizers = rows(
    *(Row(f"repr(torch.optim.{name}({ONE}))") for name in OPTIMIZERS),
    *(Row(f"repr(torch.optim.{name}([dict(params={ONE}, lr=.3), dict(params={ONE})]))") for name in OPTIMIZERS),
    *(Row(f"repr(torch.optim.{name}({ONE}).state_dict())") for name in OPTIMIZERS),
)

SCHEDULERS = {
    "LambdaLR": "lambda e: .5", "MultiplicativeLR": "lambda e: .5", "StepLR": "3", "MultiStepLR": "[1,2]", "ConstantLR": "", "LinearLR": "",
    "ExponentialLR": ".9", "CosineAnnealingLR": "10", "PolynomialLR": "", "CyclicLR": ".1,.2", "OneCycleLR": ".1,total_steps=10",
    "CosineAnnealingWarmRestarts": "5", "ReduceLROnPlateau": "",
}  # fmt: skip

test_schedulers = rows(
    *(
        Row(
            f"s = torch.optim.lr_scheduler.{n}(torch.optim.SGD({ONE}, lr=.1),{a})\n"
            "repr(s).split(' at ')[0], sorted(map(str, s.state_dict().items()))"
        )
        for n, a in SCHEDULERS.items()
    )
)

VALUES = """torch.float32 torch.bfloat16 torch.half torch.complex64 torch.bool torch.uint16 torch.device('cpu') torch.device('cuda:1')
torch.device('cuda',0) torch.device('meta') torch.strided torch.sparse_coo torch.contiguous_format torch.channels_last torch.Size([2,3])
torch.Size([]) torch.Size([2,3])[:1] torch.Size([2])+torch.Size([3]) torch.max(torch.ones(2,2),0) torch.sort(torch.tensor([2,1]))
torch.ones(2).topk(1) torch.mode(torch.tensor([1,1,2])) torch.linalg.svd(torch.eye(2)) torch.linalg.slogdet(torch.eye(2))
torch.frexp(torch.ones(1)) torch.aminmax(torch.ones(2)) torch.finfo(torch.float32) torch.finfo(torch.bfloat16) torch.iinfo(torch.int8)
torch.Tensor torch.nn.Parameter torch.nn.Linear torch.optim.SGD torch.FloatTensor torch.dtype torch.Size torch.device torch.Generator
torch.autograd.Function torch.utils.data.DataLoader torch.LongTensor([1]) torch.ones(2).untyped_storage() torch.ones(2).storage()
torch.ones(2,requires_grad=True) (torch.ones(2,requires_grad=True)*2) torch.ones(2,device='meta') torch.ones(0) torch.ones(2,0)
torch.tensor(3) torch.tensor(True) torch.tensor([1e10,1]) torch.tensor([1e-8,1.]) torch.tensor([math.nan,1]) torch.arange(2000)
torch.zeros(100,100) torch.tensor([1+2j]) torch.tensor(1.5,dtype=torch.float64) torch.tensor([[1,2],[3,4]],dtype=torch.int8)
torch.ones(2,dtype=torch.bfloat16)
torch.Stream() torch.Event() torch.return_types.max
torch.return_types.linalg_svd torch.__version__""".split()

OBJECTS = """torch.Generator() torch.no_grad() torch.autocast('cpu') torch.ones(1,requires_grad=True).sum().grad_fn
torch.utils.data.DataLoader([1]) torch.utils.data.TensorDataset(torch.ones(2)) torch.utils.data.RandomSampler([1])
nn.Linear(1,1).parameters() nn.Linear(1,1).register_forward_hook(print)""".split()

test_values = rows(
    *(Row(f"repr({value}), str({value})") for value in VALUES),
    *(Row(f"repr({value}).split(' at 0x')[0]") for value in OBJECTS),
)
