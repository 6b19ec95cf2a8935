"""Words that carry grammar rather than matter, by ISO 639-1 code.

Kept short on purpose: a word that is dropped can never be searched for, while a frequent word that stays costs little,
because BM25 gives it almost no weight. So words that are names as often as grammar ("us", "who", "may", "will") are not
here. The lists hold casefolded words as they are before stemming, the Arabic one in the normal form of
`carrel.index.arabic.normalise`.
"""

_ENGLISH = """
a about above after again against all also although am among an and any are aren't as at be because been before being
below between both but by can can't cannot could couldn't did didn't do does doesn't doing don't during each either
etc few for from further had hadn't has hasn't have haven't having he her here hers herself him himself his how
however i if in into is isn't it it's its itself just me more most my myself neither nor of off on once only or other
our ours ourselves out over own same shall she should shouldn't so some such than that that's the their theirs them
themselves then there therefore these they they're this those through thus to too under until up upon very was wasn't
we were weren't what when where whether which while whom whose why with within without would wouldn't you your yours
yourself yourselves
"""

_FRENCH = """
a afin ai ainsi alors après as au aucun aucune aura auraient aurait aussi autre autres aux avaient avait avec avez
avoir avons ayant c car ce ceci cela celle celles celui ces cet cette ceux chaque chez comme comment d dans de depuis
des donc dont du elle elles en encore entre es est et étaient était étant été être eu eux fait furent fut il ils j je
jusqu jusque l la laquelle le lequel les lesquels leur leurs lors lorsqu lorsque lui m ma mais me même mêmes mes moi
mon n ne ni nos notre nous on ont or ou où par parce pas pendant peu peut plus pour pourquoi puis puisqu puisque qu
quand que quel quelle quelles quels qui quoi s sa sans se sera seraient serait ses si soit son sont sous sur t ta te
tes toi ton tous tout toute toutes très tu un une vers vos votre vous y
"""

_GERMAN = """
aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes auch auf aus bei beim
bin bis bist da dabei dadurch dafür damit dann daran darauf daraus darin das dass davon dazu dein deine dem den denn
der deren des deshalb dessen die dies diese diesem diesen dieser dieses doch dort du durch ein eine einem einen einer
eines einige er es etwa etwas euch euer für gegen hab habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen
ihr ihre ihrem ihren ihrer im in indem ins ist ja jede jedem jeden jeder jedes jedoch jener kann kein keine keinem
keinen keiner können konnte könnte man manche mehr mein meine mich mir mit muss müssen nach nachdem nicht nichts noch
nun nur ob obwohl oder ohne schon sehr sein seine seinem seinen seiner seit sich sie sind so sobald solche soll sollen
sollte sondern sonst sowie über um und uns unser unsere unter viel vom von vor während war waren warum was weil welche
welchem welchen welcher welches wenn wer werde werden wie wieder will wir wird wo wobei worden wurde wurden würde
würden zu zum zur zwar zwischen
"""

_SPANISH = """
a al algo algunas algunos ante antes aquel aquella aquellas aquellos así aun aunque cada como cómo con contra cual
cuál cuales cuando cuándo cuyo de del desde donde dónde dos durante e el él ella ellas ellos en entre era eran es esa
esas ese eso esos esta está estaba están estas este esto estos fue fueron ha había habían han hasta hay haya he la las
le les lo los más me mediante mi mis mientras mucho muy nada ni no nos nosotros nuestra nuestro o os otra otras otro
otros para pero poco por porque pues que qué quien quién quienes se según ser será si sí sido siempre sin sino sobre
son su sus también tan tanto te tiene tienen toda todas todo todos tras tu tus u un una unas uno unos vosotros y ya yo
"""

_ITALIAN = """
a abbia ad agli ai al alcuni all alla alle allo altra altre altri altro anche ancora avere aveva avevano c che chi ci
cioè coi col come con contro così cui d da dagli dai dal dall dalla dalle dallo degli dei del dell della delle dello
dentro deve di dopo dove e è ed era erano essere essi fra fu furono già gli ha hanno ho i il in io l la le lei li lo
loro lui ma me mentre mi mia mie mio molto n ne negli nei nel nell nella nelle nello noi non nostra nostro o ogni
oltre per perché però più poi prima può quale quali quando quanto quegli quei quel quell quella quelle quello quest
questa queste questi questo qui s sarà se sempre senza si sia siano sono sopra sotto stata state stati stato su sua
sue sugli sui sul sull sulla sulle sullo suo suoi t tra tu tutte tutti tutto un una uno v vi voi
"""

_PORTUGUESE = """
a à ainda ao aos apenas após aquela aquele aqueles aquilo as às assim até cada com como contra cuja cujo da das de
dela dele deles depois desde dessa desse desta deste do dos durante e é ela elas ele eles em embora enquanto entre era
eram essa essas esse esses esta está estão estas estava este estes eu foi foram há isso isto já lhe lhes mais mas me
mesmo meu minha muito na nas não nem nenhum nessa nesse nesta neste no nos nós nossa nosso num numa o onde os ou outra
outras outro outros para pela pelas pelo pelos por porque porém pois qual quais quando quanto que quem são se seja sem
sempre ser será seu seus si sido sob sobre sua suas também tanto te tem têm tinha toda todas todo todos tu tudo um uma
umas uns você vocês
"""

_DUTCH = """
aan al alle alleen als andere ben bij daar daarom dan dat de deze die dit doch doen door dus een eens en er ge geen
haar had hadden heb hebben heeft hem het hier hij hoe hun iets ik in is ja je kan kon kunnen maar me meer men met mij
mijn moet moeten na naar niet niets nog nu of om omdat onder ons onze ook op over reeds sinds te tegen ten ter toch
toen tot tussen u uit uw van vanuit veel voor waar waarom wanneer want waren was wat we werd werden wie wij wil worden
wordt zal ze zeer zelf zich zij zijn zo zonder zou zouden
"""

_RUSSIAN = """
а без более бы был была были было быть в вам вас весь во вот все всего всех вы где да для до его ее если есть еще же
за здесь и из или им их к как когда которая которое которой которые который которых кто ли либо между меня мне может
мой мы на над надо нам нас наш не него нее нет ни них но о об однако он она они оно от по под после потому почему при
про с свой себя со так также такие такой там те тем то того тоже той только том тот ты у уже хотя чего чей чем что
чтобы эта эти это этого этой этом этот я
"""

_SWEDISH = """
alla allt att av bara bli blev blir de dem den denna deras dess dessa det detta dig din du då där efter eller en ett
finns från för ha hade han har hans hennes hon hur här i icke inom inte ju kan kunde man med mellan men mig min mot
mycket ni nu när någon något några och om oss på sedan sig sin sitta sina ska skulle som så till under upp ut utan vad
var vara varför vars vem vi vid vilka vilken vilket är även över
"""

_DANISH = """
af alle andet andre at blev blive bliver da de dem den denne der deres det dette dig din disse dog du efter eller en
end er et for fordi fra før ham han hans har havde have hende hendes her hos hun hvad hvem hver hvilken hvis hvor
hvorfor hvordan i ikke ind jeg jer kan kun kunne man mange med meget men mere mig min mod mellem ned noget nogen nogle
nu når og også om op os over på sig sin sit skal skulle som sådan til ud uden under var ved vi vil ville være været
"""

_NORWEGIAN = """
alle at av bare ble bli blir både da de deg dem den denne der deres det dette din disse du eller en enn er et etter
for fordi fra før ha hadde han hans har henne hennes her hun hva hvem hver hvilken hvis hvor hvordan hvorfor i ikke
inn jeg kan kun kunne man mange med meg meget mellom men mer min mot noe noen nå når og også om opp oss over på seg
sin sitt skal skulle som så til ut uten var ved vi vil ville være vært
"""

_ARABIC = """
من في علي الي عن ان هذا هذه ذلك تلك التي الذي الذين اللذين هو هي هم هما ما ماذا متي اين كيف كم هل لم لن لا قد لقد كان
كانت كانوا يكون تكون كل بعض او ام و ثم بين عند عندما مع بعد قبل منذ حتي كما اي ايه حيث لكن ولكن بل اذا لماذا وقد وهو
وهي ولم ولا وكان وكانت ايضا غير فيها فيه منها منه عليها عليه اليه اليها له لها لهم به بها بهم ذات ضمن خلال حول مما بما
فان وان بان لان ليس ليست وفي ومن وعلي ومع والتي والذي وهذا وهذه سوف انه انها وانه
"""

STOP_WORDS: dict[str, frozenset[str]] = {
    "ar": frozenset(_ARABIC.split()),
    "da": frozenset(_DANISH.split()),
    "de": frozenset(_GERMAN.replace("ß", "ss").split()),
    "en": frozenset(_ENGLISH.split()),
    "es": frozenset(_SPANISH.split()),
    "fr": frozenset(_FRENCH.split()),
    "it": frozenset(_ITALIAN.split()),
    "nl": frozenset(_DUTCH.split()),
    "no": frozenset(_NORWEGIAN.split()),
    "pt": frozenset(_PORTUGUESE.split()),
    "ru": frozenset(_RUSSIAN.split()),
    "sv": frozenset(_SWEDISH.split()),
}
