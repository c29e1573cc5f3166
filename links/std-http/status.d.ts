/** The reason phrase of each registered status code. */
export declare const STATUS_TEXT: Readonly<Record<number, string>>;
