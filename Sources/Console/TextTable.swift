/// A table of aligned columns: headed, two spaces apart, cut to the window where there is one.
public struct TextTable: Sendable {
    public enum Alignment: Sendable {
        case left
        case right
    }

    public struct Column: Sendable {
        public var title: String
        public var alignment: Alignment
        /// May be cut when the table is wider than the window.
        public var canShrink: Bool

        public init(_ title: String, _ alignment: Alignment = .left, canShrink: Bool = false) {
            self.title = title
            self.alignment = alignment
            self.canShrink = canShrink
        }
    }

    /// The text of one field and how it looks.
    public struct Cell: Sendable, ExpressibleByStringInterpolation {
        public var text: String
        public var styles: [TextStyle]

        public init(_ text: String, _ styles: TextStyle...) {
            self.text = text
            self.styles = styles
        }

        public init(stringLiteral value: String) {
            text = value
            styles = []
        }
    }

    private static let gap = "  "
    private static let narrowest = 8

    public let columns: [Column]
    public private(set) var rows: [[Cell]] = []

    public init(_ columns: [Column]) {
        self.columns = columns
    }

    /// Adds a row. Missing cells are empty, surplus ones are left out; control characters never reach the terminal.
    public mutating func append(_ cells: [Cell]) {
        rows.append(
            columns.indices.map { index in
                var cell = index < cells.count ? cells[index] : ""
                cell.text = PrintableText.clean(cell.text)
                return cell
            })
    }

    /// Adds a row of plain text.
    public mutating func append(_ cells: [String]) {
        append(cells.map { Cell($0) })
    }

    /// The table as lines, each ended; empty without rows.
    /// - Parameter width: columns of the window; nil cuts nothing.
    public func rendered(style: TerminalStyle, width: Int? = nil) -> String {
        guard !rows.isEmpty else { return "" }
        let widths = fit(naturalWidths, into: width)
        let header = columns.map { Cell($0.title, .bold) }
        return ([header] + rows).map { line($0, widths, style) }.joined(separator: "\n") + "\n"
    }

    private var naturalWidths: [Int] {
        columns.indices.map { index in
            rows.reduce(PrintableText.width(columns[index].title)) { max($0, PrintableText.width($1[index].text)) }
        }
    }

    /// Takes from the widest column that may shrink until all fit, or none may any more.
    private func fit(_ natural: [Int], into width: Int?) -> [Int] {
        guard let width else { return natural }
        var widths = natural
        var surplus = widths.reduce(0, +) + (widths.count - 1) * TextTable.gap.count - width
        while surplus > 0 {
            let shrinkable = columns.indices.filter { columns[$0].canShrink && widths[$0] > TextTable.narrowest }
            guard let widest = shrinkable.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            surplus -= 1
        }
        return widths
    }

    private func line(_ cells: [Cell], _ widths: [Int], _ style: TerminalStyle) -> String {
        var fields: [String] = []
        for (index, cell) in cells.enumerated() {
            let text = PrintableText.truncate(cell.text, to: widths[index])
            let padding = String(repeating: " ", count: max(0, widths[index] - PrintableText.width(text)))
            let styled = style.apply(cell.styles, to: text)
            switch columns[index].alignment {
            case .right: fields.append(padding + styled)
            case .left: fields.append(index == cells.count - 1 ? styled : styled + padding)
            }
        }
        return fields.joined(separator: TextTable.gap)
    }
}
