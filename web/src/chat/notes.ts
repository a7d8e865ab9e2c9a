// Attachments: text files that are kept as notes and named by the message. What is no text is refused here.
import type { AttachmentAdapter } from "@assistant-ui/react";
import { newId } from "../session/ids.ts";

export const NOTE_BYTES_MAX = 65_536;

/** `refuse` tells the user why a file cannot be attached. */
export function noteAttachments(refuse: (why: "tooLarge" | "notText", name: string) => void): AttachmentAdapter {
  return {
    accept: "*", // what a file is called says less than what is in it, and who brings a wrong one is told why
    async add({ file }) {
      const why = file.size > NOTE_BYTES_MAX ? "tooLarge" : (await isText(file)) ? null : "notText";
      if (why !== null) {
        refuse(why, file.name);
        throw new Error(why);
      }
      return {
        id: newId("note"),
        type: "document",
        name: file.name,
        contentType: file.type,
        file,
        status: { type: "requires-action", reason: "composer-send" },
      };
    },
    async send(attachment) {
      const text = await attachment.file.text();
      return { ...attachment, status: { type: "complete" }, content: [{ type: "text", text }] };
    },
    remove: () => Promise.resolve(),
  };
}

async function isText(file: File): Promise<boolean> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    return text.trim() !== "" && !text.includes("\0");
  } catch {
    return false;
  }
}
