/// Letters of seeded words, English-like: what gzip makes of them is about what it makes of prose.
struct SampleText {
    struct Mail: Sendable {
        let subject: String
        let body: String
    }

    private var random: SeededRandom
    /// Of each word, the sum of the weights up to it; Zipf: 1 / (rank + 2).
    private let weights: [Double]

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        var sum = 0.0
        weights = SampleText.words.indices.map {
            sum += 1 / Double($0 + 3)
            return sum
        }
    }

    mutating func mail() -> Mail {
        let subject = SampleText.capitalised((0..<(3 + random.next(below: 4))).map { _ in word() }.joined(separator: " "))
        return Mail(subject: subject, body: body(bytes: 1_024))
    }

    /// Exactly so many bytes, the last of them a line feed.
    private mutating func body(bytes: Int) -> String {
        var text = ""
        var column = 0
        while text.utf8.count < bytes {
            var sentence = (0..<(5 + random.next(below: 14))).map { _ in word() }
            if sentence.count > 9 { sentence[sentence.count / 2] += "," }
            sentence[0] = SampleText.capitalised(sentence[0])
            sentence[sentence.count - 1] += random.next(below: 8) == 0 ? "?" : "."
            for word in sentence {
                if column + word.utf8.count > 70 {
                    text += "\n"
                    column = 0
                } else if column > 0 {
                    text += " "
                    column += 1
                }
                text += word
                column += word.utf8.count
            }
        }
        return String(decoding: text.utf8.prefix(bytes - 1), as: UTF8.self) + "\n"
    }

    private mutating func word() -> String {
        let target = random.fraction() * (weights.last ?? 0)
        var (low, high) = (0, weights.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if weights[middle] < target { low = middle + 1 } else { high = middle }
        }
        return SampleText.words[low]
    }

    private static func capitalised(_ text: String) -> String { text.prefix(1).uppercased() + text.dropFirst() }

    /// By falling frequency.
    private static let words = """
        the of and to a in that is was he for it with as his on be at by I this had not are but from or have an they which one you
        were all her she there would their we him been has when who will no more if out so up said what its about than into them
        can only other time new some could these two may first then do any like my now over such our man me even most made after
        also did many off before must well back through years where much your way down should because long each just state people
        those too mister how little good world make very year still see own work men day get here old life both between being under
        three never know same last another while us might great go come since against right came take used himself few house use
        place during high without again home around small however found part school general once upon say every war does fact
        united number course almost city set left later given kind church large within money water public early business member
        letter matter order report office company service system question meeting program present problem result several evening
        morning answer history social possible national second power country whether group interest government family certain
        development change something nothing together enough important already above different action free best next able study
        economic strong particular full surface local able evidence reason modern beginning effect control market total table
        complete production feeling policy situation student special example period increase experience provided material remember
        understand different believe considered available remained according followed received increasing difficult generally
        language community education attention suggested committee direction president conference international department
        agreement september november arrangement delivery invoice schedule contract customer quarter budget account proposal draft
        review comment attached tomorrow yesterday regards sincerely greetings weather garden kitchen window journey railway
        station ticket holiday mountain river bridge village doctor teacher lawyer engineer colleague neighbour daughter brother
        music theatre museum library newspaper paragraph chapter sentence signature certificate message recipient server network
        paper pencil coffee breakfast supper apple bread butter cheese winter summer autumn spring january february december
        monday tuesday wednesday thursday friday saturday sunday quickly slowly carefully usually sometimes perhaps probably
        certainly exactly nearly hardly otherwise therefore although unless until toward beyond behind beside among across
        """.split(whereSeparator: \.isWhitespace).map(String.init)
}
