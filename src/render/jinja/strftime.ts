const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const dayMs = 86_400_000;

/** Python's `datetime.strftime` in the C locale, for a moment taken in UTC so that a rendering is the same everywhere. */
export function strftime(moment: Date, format: string): string {
  return format.replace(/%([-_0^#]?)([a-zA-Z%])/g, (whole, flag: string, directive: string) => {
    const text = directiveText(moment, directive);
    if (text === undefined) return whole;
    if (flag === '-') return text.replace(/^[0 ]+(?=.)/, '');
    if (flag === '_') return text.replace(/^0+(?=.)/, (zeros) => ' '.repeat(zeros.length));
    return flag === '^' ? text.toUpperCase() : text;
  });
}

function directiveText(moment: Date, directive: string): string | undefined {
  const pad = (value: number, width = 2): string => String(value).padStart(width, '0');
  const year = moment.getUTCFullYear();
  const weekday = moment.getUTCDay();
  const hour = moment.getUTCHours();
  const twelve = hour % 12 === 0 ? 12 : hour % 12;
  const dayOfYear = Math.floor((moment.getTime() - Date.UTC(year, 0, 1)) / dayMs) + 1;
  const again = (format: string): string => strftime(moment, format);
  switch (directive) {
    case 'Y':
      return String(year);
    case 'C':
      return pad(Math.floor(year / 100));
    case 'y':
      return pad(year % 100);
    case 'm':
      return pad(moment.getUTCMonth() + 1);
    case 'd':
      return pad(moment.getUTCDate());
    case 'e':
      return String(moment.getUTCDate()).padStart(2, ' ');
    case 'B':
      return months[moment.getUTCMonth()];
    case 'b':
    case 'h':
      return months[moment.getUTCMonth()]?.slice(0, 3);
    case 'A':
      return weekdays[weekday];
    case 'a':
      return weekdays[weekday]?.slice(0, 3);
    case 'H':
      return pad(hour);
    case 'I':
      return pad(twelve);
    case 'k':
      return String(hour).padStart(2, ' ');
    case 'l':
      return String(twelve).padStart(2, ' ');
    case 'M':
      return pad(moment.getUTCMinutes());
    case 'S':
      return pad(moment.getUTCSeconds());
    case 'f':
      return pad(moment.getUTCMilliseconds() * 1000, 6);
    case 'p':
      return hour < 12 ? 'AM' : 'PM';
    case 'P':
      return hour < 12 ? 'am' : 'pm';
    case 'j':
      return pad(dayOfYear, 3);
    case 'u':
      return String(weekday === 0 ? 7 : weekday);
    case 'w':
      return String(weekday);
    case 'U':
      return pad(Math.floor((dayOfYear + 6 - weekday) / 7));
    case 'W':
      return pad(Math.floor((dayOfYear + 6 - ((weekday + 6) % 7)) / 7));
    case 'G':
      return String(isoWeek(moment).year);
    case 'V':
      return pad(isoWeek(moment).week);
    case 'Z':
    case 'z':
      // A naive datetime has no zone.
      return '';
    case 's':
      return String(Math.floor(moment.getTime() / 1000));
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'D':
    case 'x':
      return again('%m/%d/%y');
    case 'F':
      return again('%Y-%m-%d');
    case 'T':
    case 'X':
      return again('%H:%M:%S');
    case 'R':
      return again('%H:%M');
    case 'r':
      return again('%I:%M:%S %p');
    case 'c':
      return again('%a %b %e %H:%M:%S %Y');
    case '%':
      return '%';
    default:
      return undefined;
  }
}

/** ISO 8601: the week of a date is the week of its Thursday. */
function isoWeek(moment: Date): { year: number; week: number } {
  const thursday = new Date(moment.getTime() + (3 - ((moment.getUTCDay() + 6) % 7)) * dayMs);
  const year = thursday.getUTCFullYear();
  return { year, week: Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / dayMs / 7) + 1 };
}
