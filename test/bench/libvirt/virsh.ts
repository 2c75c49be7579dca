import { type ChildProcess, spawn } from 'node:child_process';

const PROMPT = 'virsh # ';

/** One interactive virsh, fed with commands: starting a virsh for each would measure process starts. */
export class VirshShell {
  readonly #child: ChildProcess;
  readonly #waiting: ((output: string) => void)[] = [];
  #output = '';

  static async open(uri: string): Promise<VirshShell> {
    const shell = new VirshShell(uri);
    await shell.#prompt();
    return shell;
  }

  private constructor(uri: string) {
    this.#child = spawn('virsh', ['--connect', uri], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
  }

  /** Resolves with what the command printed. Commands given before it are answered first. */
  run(command: string): Promise<string> {
    this.#child.stdin?.write(`${command}\n`);
    return this.#prompt();
  }

  async close(): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end('quit\n');
    await exited;
  }

  #prompt(): Promise<string> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #read(text: string): void {
    this.#output += text;
    for (let end = this.#output.indexOf(PROMPT); end !== -1; end = this.#output.indexOf(PROMPT)) {
      const answer = this.#output.slice(0, end);
      this.#output = this.#output.slice(end + PROMPT.length);
      this.#waiting.shift()?.(answer);
    }
  }
}
