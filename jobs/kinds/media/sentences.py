"""All that jobs with media files say to people: what is being done, what was done, notes, and why it can't be done."""

from django.utils.translation import gettext_lazy as _

from ...contract import Sentence, worded
from .formats import ACCEPTED

KIND = "media"
"""The kind whose sentences these are. Edits have the same."""

SENTENCES = {
    # Progress.
    "editing": _("Editing the picture"),
    "writing": _("Writing %(format)s at %(width)d pixels"),
    "looking": _("Looking at the file"),
    "converted": _("%(done)s converted"),
    "converted_of": _("%(done)s of %(total)s converted"),
    "once_more": _("Converted once more, into fewer bytes"),
    "written": _("Written"),
    # What made a version of a file.
    "upload": _("upload"),
    "rotate": _("rotate by %(angle)d°"),
    "crop": _("crop to %(width)d × %(height)d pixels at %(left)d, %(top)d"),
    "convert": _("convert to %(format)s"),
    "convert_to_width": _("convert to %(format)s, %(width)d pixels wide"),
    "cut": _("cut from %(start)g to %(end)g seconds"),
    # Notes.
    "several_pictures": _("The file holds more than one picture, as animations do. The first one was converted."),
    "compressed_more": _(
        "Compressed more than usual, into %(limit)s at most: what is made may be a certain number of times as large as "
        "what was sent."
    ),
    "video_without_sound": _("The video has no sound."),
    # No file, or not one that can be read.
    "file_gone": _("The file is not there any more. Please send it again."),
    "file_deleted": _("The file was deleted meanwhile. Please send it again."),
    "unknown_type": _("This is no file that we can convert. Please send %(accepted)s."),
    "accepted": ACCEPTED,
    "no_picture": _("This file is no picture. Please choose a picture."),
    "picture_damaged": _(
        "The picture can't be read: its file is damaged or incomplete. Please send it again, or another copy."
    ),
    "recording_damaged": _(
        "The file can't be read: it is damaged or incomplete. Please send it again, or another copy of it."
    ),
    "sound_cut_off": _("The end of the sound is missing. Please send the whole file."),
    "recording_cut_off": _(
        "The file says that it plays for %(told)s, but it ends after %(found)s. "
        "Maybe the upload or the recording was cut off. Please send the whole file."
    ),
    # Too large, or nothing in it.
    "picture_pixels": _(
        "The picture has more than %(millions)g million pixels. Please make it smaller and send it again."
    ),
    "frame_pixels": _("A frame of the video has more than %(millions)g million pixels. Please make it smaller."),
    "too_much_memory": _(
        "The picture needs more memory than one conversion may use. Please make it smaller and send it again."
    ),
    "sizes_differ": _(
        "The picture is not as large as its file says. Please open it, save it anew and send it again, or another copy."
    ),
    "too_many_bytes": _(
        "What is made of this file would take more than %(limit)s, also when it is compressed more, and so much is not "
        "made of a file that small. Please send it less compressed, or a part of it."
    ),
    "decoder_ended": _(
        "The program that reads such files ended in the middle of this one. Please try it again, or send another copy."
    ),
    "too_long": _("The recording is longer than %(limit)s. Please cut it and send it again."),
    "nothing_to_play": _("There is neither video nor sound in this file."),
    "no_sound": _("There is no sound in this video."),
    # What an edit asks for does not fit the file.
    "box_outside": _(
        "The box reaches to pixel %(right)d across and %(bottom)d down, and the picture has "
        "%(width)d × %(height)d pixels. Please choose a box inside the picture."
    ),
    "too_wide": _("The picture is %(width)d pixels wide, and is not enlarged. Please choose a width up to that."),
    "converted_pixels": _(
        "A converted picture can be up to %(limit)s pixels wide and high. Please choose a lower width."
    ),
    "end_outside": _("The recording ends after %(end)g seconds. Please choose an end before that."),
    "too_short": _("The end must lie at least %(least)g seconds behind the start."),
    "no_video_in_part": _("There is no video in this part of the recording."),
    # A picture can't be made to fit where it shall go.
    "no_format": _("None of the picture formats that are accepted there can be made here."),
    "too_few_bytes": _("The picture can't be made as small as %(limit)s."),
}


def in_words(sentence: Sentence) -> str:
    """The words of one of these sentences, for whoever asks now: on a form, or in the title of a job."""
    return worded(sentence.as_data(), KIND)
