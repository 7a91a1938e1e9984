"""Small PMML documents, written by hand, for tests."""

_HEAD = """<?xml version="1.0"?>
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary>
<DataField name="y" optype="{optype}" dataType="{datatype}">{values}</DataField>
<DataField name="a" optype="continuous" dataType="double"/>
<DataField name="b" optype="continuous" dataType="double"/>
</DataDictionary>
{model}
</PMML>"""
SCHEMA = """<MiningSchema><MiningField name="y" usageType="target"/>
<MiningField name="a"/><MiningField name="b"/></MiningSchema>"""
_CLASSES = '<Value value="no"/><Value value="yes"/>'


def _document(model: str, *, classes: bool) -> str:
    optype, datatype = ("categorical", "string") if classes else ("continuous", "double")
    values = _CLASSES if classes else ""
    return _HEAD.format(optype=optype, datatype=datatype, values=values, model=model)


def _tree(low: str, high: str, function: str, schema: str = SCHEMA, at: float = 0.5) -> str:
    def leaf(operator: str, score: str) -> str:
        other = "no" if score == "yes" else "yes"
        shares = (
            f'<ScoreDistribution value="{score}" recordCount="3" confidence="0.75"/>'
            f'<ScoreDistribution value="{other}" recordCount="1" confidence="0.25"/>'
        )
        return (
            f'<Node id="{score}" score="{score}" recordCount="4">'
            f'<SimplePredicate field="a" operator="{operator}" value="{at}"/>'
            f"{shares if function == 'classification' else ''}</Node>"
        )

    return (
        f'<TreeModel functionName="{function}" splitCharacteristic="binarySplit">{schema}'
        f'<Node id="0" score="{low}" recordCount="8"><True/>'
        f"{leaf('lessOrEqual', low)}{leaf('greaterThan', high)}</Node></TreeModel>"
    )


TREE = _document(_tree("no", "yes", "classification"), classes=True)
TREE_REGRESSION = _document(_tree("1.5", "2.5", "regression"), classes=False)
LINEAR = _document(
    f"""<RegressionModel functionName="regression">{SCHEMA}
<RegressionTable intercept="1.5"><NumericPredictor name="a" coefficient="2"/>
<NumericPredictor name="b" coefficient="-0.5"/></RegressionTable></RegressionModel>""",
    classes=False,
)
LOGISTIC = _document(
    f"""<RegressionModel functionName="classification" normalizationMethod="logit">{SCHEMA}
<RegressionTable targetCategory="yes" intercept="0.25">
<NumericPredictor name="a" coefficient="2"/><NumericPredictor name="b" coefficient="-1"/>
</RegressionTable><RegressionTable targetCategory="no" intercept="0"/></RegressionModel>""",
    classes=True,
)


def forest(method: str, function: str) -> str:
    classes = function == "classification"
    low, high = ("no", "yes") if classes else ("1.5", "2.5")
    inner = '<MiningSchema><MiningField name="a"/><MiningField name="b"/></MiningSchema>'
    segments = "".join(
        f'<Segment id="{index}"><True/>{_tree(low, high, function, inner, at)}</Segment>'
        for index, at in enumerate((0.25, 0.5, 0.75))
    )
    return _document(
        f'<MiningModel functionName="{function}">{SCHEMA}'
        f'<Segmentation multipleModelMethod="{method}">{segments}</Segmentation></MiningModel>',
        classes=classes,
    )


CLUSTERS = """<?xml version="1.0"?>
<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>
<DataDictionary><DataField name="a" optype="continuous" dataType="double"/></DataDictionary>
<ClusteringModel functionName="clustering" modelClass="centerBased" numberOfClusters="2">
<MiningSchema><MiningField name="a"/></MiningSchema>
<ComparisonMeasure kind="distance"><squaredEuclidean/></ComparisonMeasure>
<ClusteringField field="a" compareFunction="absDiff"/>
<Cluster id="low" name="low"><Array n="1" type="real">0</Array></Cluster>
<Cluster id="high" name="high"><Array n="1" type="real">10</Array></Cluster>
</ClusteringModel></PMML>"""
LAUGHS = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<PMML version="4.4"><Header copyright="&c;"/></PMML>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE PMML [<!ENTITY a SYSTEM "file:///etc/hostname">]>
<PMML version="4.4"><Header copyright="&a;"/></PMML>"""
